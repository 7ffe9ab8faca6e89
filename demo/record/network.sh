# The network: one namespace per host, all joined by a router that exists only
# inside the private network namespace. Addresses are from the ranges reserved
# for documentation (RFC 5737).

HOSTS=(
    web-1:198.51.100.10
    alice:198.51.100.21 bob:198.51.100.22 carol:198.51.100.23
    dave:198.51.100.24 erin:198.51.100.25
    a66:203.0.113.66 a67:203.0.113.67 a77:203.0.113.77
    a78:203.0.113.78 a88:203.0.113.88 a90:203.0.113.90
)

add_bridge() {
    ip link add "$1" type bridge
    ip addr add "$2/24" dev "$1"
    ip link set "$1" up
}

# Only the two documentation ranges get a route, never a default route.
add_host() {
    local name=$1 address=$2 bridge gateway other
    case $address in
        198.51.100.*) bridge=br-home gateway=198.51.100.1 other=203.0.113.0/24 ;;
        *) bridge=br-away gateway=203.0.113.1 other=198.51.100.0/24 ;;
    esac
    ip netns add "$name"
    ip link add "v-$name" type veth peer name eth0 netns "$name"
    ip link set "v-$name" master "$bridge" up
    ip -n "$name" addr add "$address/24" dev eth0
    ip -n "$name" link set lo up
    ip -n "$name" link set eth0 up
    ip -n "$name" route add "$other" via "$gateway"
}

build_network() {
    local h
    hostname web-1
    ip link set lo up
    add_bridge br-home 198.51.100.1
    add_bridge br-away 203.0.113.1
    echo 1 >/proc/sys/net/ipv4/ip_forward
    for h in "${HOSTS[@]}"; do add_host "${h%%:*}" "${h##*:}"; done
}

# on HOST COMMAND...: runs a command on one of the hosts.
on() { ip netns exec "$@"; }
