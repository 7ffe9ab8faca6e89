# The servers on web-1: sshd, nginx, a small web shop behind it, and rsyslog.

# Accounts exist in this recording only. The password of "deploy" is weak.
USERS=(alice:key bob:key carol:Rain-On-Tin-Roof dave:Blue-Kettle-42 deploy:autumn2024)
API_USER=reports
API_PASSWORD=Quiet-Harbour-7

# Private copies hide the machine's own directories and account files; nothing
# written there is seen outside or outlives the run.
private_directories() {
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=755 tmpfs /var/log
    mkdir -p "$WORK"/{log,out,ssh,home,nginx,site/api,etc} /run/sshd /var/log/nginx
    private_dev
    touch /var/log/{wtmp,btmp,lastlog}
    chgrp utmp /var/log/btmp && chmod 660 /var/log/btmp
    # Some tools leave files where they start or in the home directory.
    export HOME=$WORK/out TMPDIR=$WORK/out
    cd "$WORK/out"
}

# A /dev of our own, so that the syslog socket does not meet the machine's.
private_dev() {
    local d
    mkdir "$WORK/dev"
    mount -t tmpfs -o mode=755 tmpfs "$WORK/dev"
    for d in null zero full random urandom tty; do
        touch "$WORK/dev/$d"
        mount --bind "/dev/$d" "$WORK/dev/$d"
    done
    mkdir "$WORK"/dev/{pts,shm}
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$WORK/dev/pts"
    ln -s pts/ptmx "$WORK/dev/ptmx"
    ln -s /proc/self/fd "$WORK/dev/fd"
    mount --rbind "$WORK/dev" /dev
}

# replace FILE < TEXT: puts a private text in place of a system file.
replace() {
    local copy=$WORK/etc/${1##*/}
    cat >"$copy"
    chmod --reference="$1" "$copy"
    chown --reference="$1" "$copy"
    mount --bind "$copy" "$1"
}

add_users() {
    local u name id=3000 passwd shadow
    passwd=$(cat /etc/passwd) shadow=$(cat /etc/shadow)
    for u in "${USERS[@]}"; do
        name=${u%%:*} id=$((id + 1))
        passwd+=$'\n'"$name:x:$id:100::$WORK/home/$name:/bin/bash"
        shadow+=$'\n'"$name:$(openssl passwd -6 "${u#*:}"):19700:0:99999:7:::"
        mkdir -p "$WORK/home/$name/.ssh"
        add_key "$name"
        chown -R "$id:100" "$WORK/home/$name"
    done
    replace /etc/passwd <<<"$passwd"
    replace /etc/shadow <<<"$shadow"
}

add_key() {
    ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$WORK/ssh/$1"
    cp "$WORK/ssh/$1.pub" "$WORK/home/$1/.ssh/authorized_keys"
}

# The servers are started without on(): behind a function, the noted process id
# would be that of a shell and not of the server.

# The message text is sshd's own; rsyslog writes it in the traditional format.
start_syslog() {
    cat >"$WORK/etc/rsyslog.conf" <<CONF
module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
auth,authpriv.* action(type="omfile" file="$WORK/log/auth.log" template="RSYSLOG_TraditionalFileFormat")
CONF
    ip netns exec web-1 rsyslogd -n -f "$WORK/etc/rsyslog.conf" -i "$WORK/rsyslog.pid" &
    pids+=($!)
    wait_for test -S /dev/log
}

start_sshd() {
    local t
    for t in ed25519 ecdsa rsa; do
        ssh-keygen -q -t "$t" -N '' -f "$WORK/ssh/host_$t"
    done
    cat >"$WORK/etc/sshd_config" <<CONF
ListenAddress $SERVER
HostKey $WORK/ssh/host_ed25519
HostKey $WORK/ssh/host_ecdsa
HostKey $WORK/ssh/host_rsa
PidFile none
UsePAM yes
UseDNS no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
CONF
    # Setting the login uid is not allowed in some containers.
    sed 's/required\( *pam_loginuid\)/optional\1/' /etc/pam.d/sshd | replace /etc/pam.d/sshd
    ip netns exec web-1 /usr/sbin/sshd -D -f "$WORK/etc/sshd_config" &
    pids+=($!)
}

start_nginx() {
    cat >"$WORK/etc/nginx.conf" <<CONF
user www-data;
worker_processes 1;
pid $WORK/nginx/pid;
error_log $WORK/nginx/error.log;
events { worker_connections 256; }
http {
    include /etc/nginx/mime.types;
    access_log $WORK/log/access.log combined;
    client_body_temp_path $WORK/nginx/body;
    proxy_temp_path $WORK/nginx/proxy;
    server {
        listen $SERVER:80;
        root $WORK/site;
        index index.html;
        location / { try_files \$uri \$uri.html \$uri/ =404; }
        location /api/ {
            auth_basic "api";
            auth_basic_user_file $WORK/etc/htpasswd;
            default_type application/json;
            try_files \$uri.json =404;
        }
        location = /login {
            error_page 418 = @shop;
            if (\$request_method = POST) { return 418; }
            try_files /login.html =404;
        }
        location = /item { proxy_pass http://127.0.0.1:8000; }
        location = /search { proxy_pass http://127.0.0.1:8000; }
        location @shop { proxy_pass http://127.0.0.1:8000; }
    }
}
CONF
    echo "$API_USER:$(openssl passwd -apr1 "$API_PASSWORD")" >"$WORK/etc/htpasswd"
    make_site
    ip netns exec web-1 nginx -c "$WORK/etc/nginx.conf" -e "$WORK/nginx/error.log" -g 'daemon off;' &
    pids+=($!)
    ip netns exec web-1 /usr/bin/python3 "$HERE/shop.py" >"$WORK/out/shop" 2>&1 &
    pids+=($!)
}

PAGES=(index about products delivery contact news terms)

make_site() {
    local p
    for p in "${PAGES[@]}" login; do
        printf '<!doctype html><title>%s</title><link rel="stylesheet" href="/css/site.css"><h1>%s</h1>\n' \
            "$p" "$p" >"$WORK/site/$p.html"
    done
    mkdir -p "$WORK"/site/{css,js,img,admin,backup}
    echo 'body { font-family: sans-serif }' >"$WORK/site/css/site.css"
    echo 'console.log("shop")' >"$WORK/site/js/site.js"
    head -c 4096 /dev/urandom >"$WORK/site/img/logo.png"
    printf 'User-agent: *\nDisallow: /admin/\n' >"$WORK/site/robots.txt"
    echo '{"orders": []}' >"$WORK/site/api/orders.json"
    echo '{"ok": true}' >"$WORK/site/api/status.json"
}

# wait_for COMMAND...: up to ten seconds.
wait_for() {
    local i
    for i in {1..50}; do "$@" 2>/dev/null && return; sleep 0.2; done
    say "gave up waiting for: $*"
    return 1
}

# Looks without connecting, so that the logs hold nothing but the scenario.
listening() { on web-1 ss -Hltn "sport = :$1" | grep -q .; }

start_servers() {
    add_users
    start_syslog
    start_sshd
    start_nginx
    wait_for listening 22
    wait_for listening 80
    wait_for listening 8000
}

# In reverse order, so that rsyslog still receives sshd's last lines.
stop_servers() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" || true
        sleep 0.5
    done
    pids=()
}
