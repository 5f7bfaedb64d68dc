#!/bin/sh
# A shell script for firstbell exec --fd 3 --format header: whatever token there is today, its header's value stands behind /dev/fd/3.
# It goes to curl through a pipe: arguments are for everybody to see.
known=' '

ask() {
    printf 'Authorization: %s\n' "$(cat /dev/fd/3)" | curl -sf -H @- -H 'X-Kite-Version: 3' "$KITE_API/$1"
}

# What Kite has of orders, each as "ID STATUS" on a line.
orders() {
    tr '{' '\n' | sed -n 's/.*"order_id": *"\([0-9]*\)".*"status": *"\([A-Z ]*\)".*/\1 \2/p'
}

while :; do
    if reply=$(ask user/profile); then
        user=$(printf %s "$reply" | sed -n 's/.*"user_id": *"\([A-Z0-9]*\)".*/\1/p')
        printf '{"at": %s, "user": "%s"}\n' "$(date +%s.%N)" "$user"
    else
        printf '{"at": %s, "fault": "refused"}\n' "$(date +%s.%N)"
    fi
    if reply=$(ask orders); then
        # Each is told once, in the state in which it is seen first.
        while read -r order status; do
            [ -n "$order" ] || continue
            case $known in *" $order "*) continue ;; esac
            known="$known$order "
            printf '{"at": %s, "order": "%s", "status": "%s"}\n' "$(date +%s.%N)" "$order" "$status"
        done <<EOF
$(printf '%s' "$reply" | orders)
EOF
    fi
    sleep 0.1
done
