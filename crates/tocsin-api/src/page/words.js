// Words the page shows for words the server sends.

/** Severities of alerts, worst first. */
export const SEVERITIES = ["critical", "high", "medium", "low", "informational"];

/** Events carry other words; these are the same colours. */
export const EVENT_SEVERITIES = { critical: "critical", high: "high", medium: "medium", warning: "low", info: "informational" };

/** The closed list of recommended actions, as advice. */
export const ACTIONS = {
  block_address: ["Block the address", "Refuse it at the edge, for a limited time."],
  disable_account: ["Disable the account", "Nobody can use it until it is reviewed."],
  flag_account: ["Flag the account", "Watch it closely; nothing is taken away."],
  require_mfa: ["Require a second factor", "Ask for it at the next login."],
  revert_role: ["Revert the role", "Take back the rights that were gained."],
  revoke_tokens: ["Revoke tokens", "End the sessions and keys of the account."],
  capture_forensics: ["Capture forensics", "Keep memory, disk and logs before they change."],
  rate_limit: ["Limit the rate", "Slow the client down instead of cutting it off."],
  request_access_review: ["Ask for an access review", "Have the owner confirm who may do this."],
  open_investigation: ["Open an investigation", "Collect related alerts and decide who leads."],
  notify: ["Notify", "Tell the people on call."],
};

/** ATT&CK tactics in the order of a chain. */
export const TACTICS = [
  "reconnaissance",
  "resource_development",
  "initial_access",
  "execution",
  "persistence",
  "privilege_escalation",
  "defense_evasion",
  "credential_access",
  "discovery",
  "lateral_movement",
  "collection",
  "command_and_control",
  "exfiltration",
  "impact",
];

/** What a tactic is for, in a few words. */
export const TACTIC_MEANINGS = {
  reconnaissance: "looking for a way in",
  resource_development: "preparing tools and accounts",
  initial_access: "getting a first foothold",
  execution: "running code",
  persistence: "staying after a restart or a new password",
  privilege_escalation: "gaining more rights",
  defense_evasion: "avoiding being seen",
  credential_access: "stealing or guessing passwords and keys",
  discovery: "learning what there is",
  lateral_movement: "moving on to other systems",
  collection: "gathering what is worth taking",
  command_and_control: "steering the systems from outside",
  exfiltration: "carrying data away",
  impact: "breaking, encrypting or deleting",
};

/** Marks of an alert that is not, or not only, open. */
export const MARKS = {
  provisional: "A late event may still move or remove it.",
  superseded: "A late event moved its beginning; another alert stands for it.",
  withdrawn: "A late event removed its reason; it no longer counts.",
  approximate: "Its numbers are estimates.",
};

/** `brute_force` as a reader says it. */
export function spoken(word) {
  return String(word ?? "").replaceAll("_", " ");
}
