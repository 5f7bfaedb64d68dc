#!/bin/sh
# A shell script for firstbell exec --fd 3 --format header: whatever token there is today, its header's value stands behind /dev/fd/3.
# It goes to curl through a pipe: arguments are for everybody to see.
while :; do
    if reply=$(printf 'Authorization: %s\n' "$(cat /dev/fd/3)" | curl -sf -H @- -H 'X-Kite-Version: 3' "$KITE_API/user/profile"); then
        user=$(printf %s "$reply" | sed -n 's/.*"user_id": *"\([A-Z0-9]*\)".*/\1/p')
        printf '{"at": %s, "user": "%s"}\n' "$(date +%s.%N)" "$user"
    else
        printf '{"at": %s, "fault": "refused"}\n' "$(date +%s.%N)"
    fi
    sleep 0.1
done
