# Checks the logs and describes them. All numbers are counted from the logs.

# web ADDRESS START END [STATUS]: access log lines of one address in that time.
web() {
    awk -v address="$1" -v from="$2" -v to="$3" -v status="${4:-}" '
        BEGIN {
            split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", names, " ")
            for (i in names) month[names[i]] = sprintf("%02d", i)
        }
        $1 == address {
            split(substr($4, 2), t, /[\/:]/)
            when = t[3] "-" month[t[2]] "-" t[1] "T" t[4] ":" t[5] ":" t[6] "Z"
            if (when < from || when > to) next
            # The request may hold any text, so look behind its closing quote.
            if (status != "" && $0 !~ "\" " status " [0-9]+ \"") next
            n++
        }
        END { print n + 0 }' "$WORK/log/access.log"
}

# ssh_lines TEXT ADDRESS: sshd lines that begin with TEXT and name the address.
ssh_lines() { grep -cE "sshd\[[0-9]+\]: $1 .*from $2 port" "$WORK/log/auth.log" || true; }

tool_of() {
    case $1 in
        nmap) echo nmap ;; spray) echo ssh ;; ssh-brute-force) echo hydra ;;
        ssh-intruder) echo ssh ;; api-guessing | flood) echo curl ;;
        api-stuffing) echo hydra ;; path-search) echo gobuster ;;
        sql-injection) echo sqlmap ;;
    esac
}

happened() { # ID ADDRESS START END
    case $1 in
        nmap) echo "port and version scan with scripts: $(web "$2" "$3" "$4") requests, $(web "$2" "$3" "$4" 404) of them 404; a few odd ssh connections" ;;
        spray) echo "one wrong ssh password for each of $(ssh_lines 'Failed password' "$2") users, about 25 seconds apart" ;;
        ssh-brute-force) echo "$(ssh_lines 'Failed password for deploy' "$2") failed ssh logins as \`deploy\`, then the right password" ;;
        ssh-intruder) echo "ssh login as \`deploy\` with the password found before" ;;
        api-guessing) echo "$(web "$2" "$3" "$4" 401) answers 401 from \`/api/\`, four seconds apart" ;;
        api-stuffing) echo "$(web "$2" "$3" "$4" 401) more answers 401 with name and password pairs, one every two seconds; the last pair is valid (answer 200)" ;;
        path-search) echo "$(web "$2" "$3" "$4") requests for guessed paths, $(web "$2" "$3" "$4" 404) of them 404" ;;
        sql-injection) echo "$(web "$2" "$3" "$4") requests with SQL, $(web "$2" "$3" "$4" 500) of them 500: first in \`/search?q=\`, which is safe, then in \`/item?id=\`, which gives its tables away" ;;
        flood) echo "$(web "$2" "$3" "$4") requests for \`/\`, ten a second, all answered 200" ;;
    esac
}

expected() {
    case $1 in
        nmap) echo "scanner; path enumeration; path traversal attempts" ;;
        spray) echo "password spray: one address, many users, no user twice" ;;
        ssh-brute-force) echo "ssh brute force, and a success after a run of failures" ;;
        ssh-intruder) echo "login from the address that had guessed before" ;;
        api-guessing) echo "at least 5 answers 401 in a row within a minute" ;;
        api-stuffing) echo "credential stuffing, and a success after a run of failures" ;;
        path-search) echo "path enumeration: many 404" ;;
        sql-injection) echo "SQL injection attempts" ;;
        flood) echo "more than 100 requests from one address within a minute" ;;
    esac
}

phase_rows() {
    local start end address id
    sort "$WORK/phases" | while IFS=$'\t' read -r start end address id; do
        [[ $address == - ]] && continue
        echo "| ${start:11:8} - ${end:11:8} | $address | $(tool_of "$id") | $(happened "$id" "$address" "$start" "$end") | $(expected "$id") |"
    done
}

busy_rows() {
    awk '{ n[$1]++; minute = $1 substr($4, 1, 18); if (++m[minute] > top[$1]) top[$1] = m[minute] }
        END { for (a in n) print "| " a " | " n[a] " | " top[a] " |" }' "$WORK/log/access.log" | sort
}

versions() {
    ssh -V 2>&1 | sed -E 's/[ ,].*//; s/_/ /'
    nginx -v 2>&1 | sed 's/.*nginx\//nginx /'
    rsyslogd -v | sed -nE '1s/^rsyslogd +([0-9.]+).*/rsyslog \1/p'
    hydra -h 2>&1 | sed -nE '1s/^Hydra v([^ ]+).*/hydra \1/p'
    nmap --version | sed -nE '1s/^Nmap version ([^ ]+).*/nmap \1/p'
    echo "gobuster $(gobuster version)"
    sqlmap --version 2>/dev/null | sed -nE '1s/^([0-9.]+).*/sqlmap \1/p'
    curl --version | sed -nE '1s/^curl ([^ ]+).*/curl \1/p'
}

write_notes() {
    local as_of=$1 first
    first=$(sort "$WORK/phases" | head -n 1 | cut -f 1)
    cat <<NOTES
# What is in this recording

The logs of a real sshd and a real nginx on one host, \`web-1\` ($SERVER), on
${first:0:10} from ${first:11:8} to ${as_of:11:8} UTC,
while real tools attacked it. Nothing was edited and no time was changed. All
hosts were private network namespaces on one machine, with addresses from the
documentation ranges of RFC 5737. The accounts and passwords existed for this
recording only. \`../record/record.sh\` makes a new one.

as_of: $as_of

| File | Form | Lines |
|---|---|---|
| auth.log.gz | sshd through rsyslog, traditional format (no year, UTC) | $(wc -l <"$WORK/log/auth.log") |
| access.log.gz | nginx "combined" (UTC) | $(wc -l <"$WORK/log/access.log") |

The auth log does not name the year: it is that of the as-of time, which is
just after the last event. The file \`as_of\` holds the same time.

## Attacks

| Time (UTC) | Address | Tool | What happened | What should be found |
|---|---|---|---|---|
$(phase_rows)

## Web requests by address

The flood is the plainest case, but every address with more than 100 requests
in its busiest minute may be reported for that.

| Address | Requests | Busiest minute of the clock |
|---|---|---|
$(busy_rows)

## Ordinary traffic

All through, from 198.51.100.21 to 198.51.100.25. None of it should be reported.

- People read the site, a page every 5 to 14 seconds. Each first visit asks for
  \`/favicon.ico\`, which is not there (404). Scripts play the people, so the
  browser names in the log are only labels.
- \`alice\` and \`bob\` log in by ssh key, \`carol\` and \`dave\` by password. Some of
  their logins begin with a typo: one failure, then a success.
- A program on .22 reads \`/api/orders\` every 20 seconds. Because of a wrong
  setting it gets two 401, then works again.
- \`erin\` (.25) mistypes the password on \`/login\` once.

## Versions

$(versions | sed 's/^/- /')
NOTES
}

# at_least NUMBER COUNT WHAT: complains when the count is lower.
at_least() {
    (($2 >= $1)) && return
    say "check failed: $3: $2, expected at least $1"
    checks_failed=yes
}

check_recording() {
    local all=(2000 2999) checks_failed=no
    at_least 60 "$(ssh_lines 'Failed password for deploy' 203.0.113.66)" "ssh failures"
    at_least 2 "$(ssh_lines 'Accepted password for deploy' 203.0.113.66)" "ssh success"
    at_least 10 "$(ssh_lines 'Failed password' 203.0.113.67)" "password spray"
    at_least 50 "$(web 203.0.113.88 "${all[@]}" 401)" "401 answers"
    at_least 1 "$(web 203.0.113.88 "${all[@]}" 200)" "valid pair"
    at_least 1000 "$(web 203.0.113.77 "${all[@]}" 404)" "404 answers"
    at_least 50 "$(web 203.0.113.78 "${all[@]}")" "injection attempts"
    at_least 500 "$(web 203.0.113.90 "${all[@]}" 200)" "flood"
    at_least 10 "$(ssh_lines 'Accepted publickey' '198.51.100.2[12]')" "key logins"
    [[ $checks_failed == no ]]
}
