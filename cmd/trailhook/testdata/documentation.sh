# What a page of the documentation finds in its shell, when a test runs its blocks. The
# test has set TERMINAL_BINARY (trailhook), TERMINAL_LOGS (a folder for what is said
# elsewhere), TERMINAL_MAKEFILE, and the variables by which servers and clients find each
# other on free ports. Names are such as no page has.

set -eo pipefail

terminal_servers=0   # how many were started
terminal_server=     # the one that runs
terminal_watchers=() # what shows lines until it is interrupted
fpath=("" "$HOME")   # of zsh, which counts from 1

# terminal_block begins a block: what it says, on either stream, is the test's to look at.
terminal_block() { exec >"$TERMINAL_LOGS/block-$1" 2>&1; }

# trailhook is the program. What goes on until Ctrl-C has a terminal of its own, in which
# it is there before the page goes on.
trailhook() {
	case "$BASH_SUBSHELL $* " in
	"0 serve "*) terminal_serve "$@" ;;
	"0 tail "* | "0 "*" --follow "*) terminal_watch "$@" ;;
	*" serve "*) TRAILHOOK_TEST_AS_COMMAND=1 exec "$TERMINAL_BINARY" "$@" ;; # a page's own job, by the id of which it is ended
	*) terminal_command "$@" ;;
	esac
}

terminal_command() { TRAILHOOK_TEST_AS_COMMAND=1 "$TERMINAL_BINARY" "$@"; }

terminal_serve() {
	terminal_stop
	terminal_servers=$((terminal_servers + 1))
	local said=$TERMINAL_LOGS/server-$terminal_servers
	TRAILHOOK_TEST_AS_COMMAND=1 "$TERMINAL_BINARY" "$@" >"$said" 2>"$said.log" </dev/null &
	terminal_server=$!
	until grep -q '^ready' "$said"; do
		kill -0 $terminal_server 2>/dev/null || { cat "$said" "$said.log"; return 1; }
		command sleep 0.05
	done
	cat "$said"
}

# terminal_stop is Ctrl-C in the server's terminal. The server must end well.
terminal_stop() {
	[[ $terminal_server ]] || return 0
	kill -INT $terminal_server
	wait $terminal_server || { echo "trailhook serve ended with status $?"; cat "$TERMINAL_LOGS/server-$terminal_servers.log"; return 1; }
	terminal_server=
}

# terminal_metric says whether the server's metrics have the line.
terminal_metric() { curl -s "http://$TRAILHOOK_OPS_ADDR/metrics" | grep -Fx "$1" >/dev/null; }

terminal_watch() {
	local said=$TERMINAL_LOGS/watcher-${#terminal_watchers[@]}
	TRAILHOOK_TEST_AS_COMMAND=1 "$TERMINAL_BINARY" "$@" >"$said" 2>&1 </dev/null &
	terminal_watchers+=($!)
	until terminal_metric "trailhook_tails ${#terminal_watchers[@]}"; do
		kill -0 ${terminal_watchers[-1]} 2>/dev/null || { cat "$said"; return 1; }
		command sleep 0.05
	done
}

# sleep is how pages wait for events on their way. Where a webhook is on, it is over when
# an event of now has arrived, which those before it have then too.
sleep() {
	local said=$TERMINAL_LOGS/server-$terminal_servers
	if [[ ! $terminal_server ]] || ! terminal_metric 'trailhook_delivery_webhooks{status="active"} 1'; then
		command sleep "$@"
		return
	fi
	local api siem mark=waited-$RANDOM$RANDOM
	api=$(sed -n 's/^API  *//p' "$said") siem=$(sed -n 's/^SIEM and console  *//p' "$said")
	curl -sSk -o /dev/null -A $mark -H "Authorization: Bearer $(cat trailhook-data/admin.pat)" "$api/v3/users/me"
	until curl -sSk -u "$(cat trailhook-data/admin.access-key)" "$siem/trailhook/v1/search?query=$mark" | grep $mark >/dev/null; do
		command sleep 0.05
	done
}

# make has the program built already, and does not run the tests in a test.
make() { command make --no-print-directory -f "$TERMINAL_MAKEFILE" -o needs -o build -o test "$@"; }

# ssh is another machine, which this one stands for.
ssh() { bash -c "$2"; }

# terminal_finish ends what goes on: nothing of it may have failed.
terminal_finish() {
	exec >"$TERMINAL_LOGS/finish" 2>&1
	local pid
	for pid in "${terminal_watchers[@]}"; do
		kill -INT $pid
		wait $pid || { echo "status $?:"; cat "$TERMINAL_LOGS"/watcher-*; return 1; }
	done
	terminal_stop
}
