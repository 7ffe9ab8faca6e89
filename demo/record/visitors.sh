# Ordinary traffic: people reading the site at their own pace, logging in, and
# now and then mistyping. None of it should be reported.

FIREFOX='Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
CHROME='Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36'
SAFARI='Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15'

# More rounds than a run can need: the stop file ends the loops.
ROUNDS=200

fetch() { # HOST AGENT CURL-ARGUMENTS...
    local host=$1 agent=$2
    shift 2
    on "$host" curl -s -m 10 -A "$agent" "$@" >/dev/null 2>&1 || true
}

page() { # HOST AGENT PATH REFERER
    fetch "$1" "$2" -e "$4" "$URL$3"
    fetch "$1" "$2" -e "$URL$3" "$URL/css/site.css" "$URL/js/site.js" "$URL/img/logo.png"
}

some_path() {
    local paths=(/about /products /delivery /contact /news /terms
        "/item?id=$((1 + RANDOM % 5))" '/search?q=tea' '/search?q=cup' /)
    echo "${paths[RANDOM % ${#paths[@]}]}"
}

browse() { # HOST AGENT
    local last=/ next i
    pause 0 8
    page "$1" "$2" / ''
    fetch "$1" "$2" -e "$URL/" "$URL/favicon.ico" # there is none: 404
    for ((i = 0; i < ROUNDS; i++)); do
        pause 5 14
        running || return 0
        next=$(some_path)
        page "$1" "$2" "$next" "$URL$last"
        last=$next
    done
}

web_login() { # HOST AGENT USER PASSWORD
    fetch "$1" "$2" "$URL/login"
    pause 4 7
    running || return 0
    fetch "$1" "$2" -e "$URL/login" -d "user=$3" -d "password=$4" "$URL/login"
}

# Each logs in with a typo once, and correctly otherwise.
web_logins() {
    pause 20 40
    web_login alice "$FIREFOX" alice Paper-Lantern-3
    pause 60 90
    running || return 0
    web_login erin "$SAFARI" erin green-bicycle-9
    pause 4 8
    running || return 0
    web_login erin "$SAFARI" erin Green-Bicycle-9
}

# A program that reads the API with a valid password; after a wrong setting it
# is refused twice, then works again.
api_client() {
    local i password
    for ((i = 0; i < ROUNDS; i++)); do
        running || return 0
        password=$API_PASSWORD
        ((i == 6 || i == 7)) && password=old-password
        fetch bob 'report-job/1.4' -u "$API_USER:$password" "$URL/api/orders"
        pause 20 20
    done
}

# ssh asks this helper for passwords; it hands out one line of a file per call.
make_askpass() {
    cat >"$WORK/out/askpass" <<'HELPER'
#!/bin/sh
head -n 1 "$ANSWERS"
sed -i 1d "$ANSWERS"
HELPER
    chmod 755 "$WORK/out/askpass"
}

SSH_OPTIONS=(-F /dev/null -o LogLevel=ERROR -o ConnectTimeout=10
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes)

ssh_key() { # HOST USER COMMAND
    on "$1" ssh "${SSH_OPTIONS[@]}" -i "$WORK/ssh/$2" -o BatchMode=yes \
        "$2@$SERVER" "$3" </dev/null >/dev/null 2>&1 || true
}

# ssh_password HOST USER COMMAND PASSWORD...: one prompt for each password.
ssh_password() {
    local host=$1 user=$2 command=$3 answers
    shift 3
    answers=$(mktemp "$WORK/out/answers.XXXXXX")
    printf '%s\n' "$@" >"$answers"
    ANSWERS=$answers SSH_ASKPASS=$WORK/out/askpass SSH_ASKPASS_REQUIRE=force \
        on "$host" timeout 60 ssh "${SSH_OPTIONS[@]}" -o NumberOfPasswordPrompts=$# \
        -o PreferredAuthentications=password "$user@$SERVER" "$command" \
        </dev/null 2>&1 || true
    rm -f "$answers"
}

key_logins() { # USER
    local i
    for ((i = 0; i < ROUNDS; i++)); do
        pause 30 80
        running || return 0
        ssh_key "$1" "$1" "sleep $((2 + RANDOM % 8))"
    done
}

# A typo at every third login, put right at once.
password_logins() { # USER PASSWORD
    local i
    for ((i = 1; i < ROUNDS; i++)); do
        pause 40 90
        running || return 0
        if ((i % 3 == 2)); then
            ssh_password "$1" "$1" "sleep 5" "${2,,}" "$2" >/dev/null
        else
            ssh_password "$1" "$1" "sleep 5" "$2" >/dev/null
        fi
    done
}

start_visitors() {
    make_askpass
    browse alice "$FIREFOX" & visitor_pids+=($!)
    browse carol "$CHROME" & visitor_pids+=($!)
    browse dave "$CHROME" & visitor_pids+=($!)
    browse erin "$SAFARI" & visitor_pids+=($!)
    web_logins & visitor_pids+=($!)
    api_client & visitor_pids+=($!)
    key_logins alice & visitor_pids+=($!)
    key_logins bob & visitor_pids+=($!)
    password_logins carol Rain-On-Tin-Roof & visitor_pids+=($!)
    password_logins dave Blue-Kettle-42 & visitor_pids+=($!)
}
