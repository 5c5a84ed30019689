# shellcheck shell=bash disable=SC2034,SC2154
# A dialogue with an example, in which oathtool is the user's authenticator app. Sourced by `enroll` and `sign_in`.

passed=0 failed=0
heard='' # what was said between the last two questions
asked='' # the last question; empty: it has ended
secret='' algorithm=sha1 digits=6 period=30

if ! command -v oathtool >/dev/null; then
  echo "$0: needs oathtool, the authenticator app: apt-get install oathtool, or brew install oath-toolkit" >&2
  exit 2
fi

start() {
  coproc app { exec "$@" 2>&1; }
  app_pid=$app_PID
  exec {from_app}<&"${app[0]}"- {to_app}>&"${app[1]}"-
  listen
}

# Hears what is said up to the next question, a line that ends in a colon and a space, or to the end.
listen() {
  local line
  heard='' asked=''
  while IFS= read -r -t 60 -u "$from_app" line; do
    if [[ $line == *': ' ]]; then
      asked=$line
      return
    fi
    heard+=$line$'\n'
  done
}

# Answers the question.
say() {
  if [[ -z $asked ]]; then
    heard='(nothing: it has ended)'
    return
  fi
  echo "$1" >&"$to_app"
  listen
}

# Ends the input. Sets `status` to the exit status.
leave() {
  exec {to_app}>&-
  listen
  status=0
  wait "$app_pid" || status=$?
  exec {from_app}<&-
}

# What the authenticator shows: `code -1` a step ago, `code 0` now, `code 1` a step later.
code() {
  totp --now "@$(($(date +%s) + $1 * period))"
}

# A code that the authenticator does not show for four steps either way.
wrong_code() {
  local around candidate=0 text
  around=$(totp --now "@$(($(date +%s) - 4 * period))" --window 8)
  while printf -v text "%0${digits}d" "$candidate" && grep -qx "$text" <<<"$around"; do
    candidate=$((candidate + 1))
  done
  echo "$text"
}

totp() {
  oathtool --totp="$algorithm" --digits="$digits" --time-step-size="${period}s" --base32 "$@" "$secret"
}

# Waits until as many seconds of a step are left.
settle() {
  local left=$((period - $(date +%s) % period))
  if ((left < $1)); then
    sleep "$left"
  fi
}

# check WHAT COMMAND...: that the command succeeds.
check() {
  local what=$1 said=$heard$asked
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what; it said:"
    echo "      ${said//$'\n'/$'\n'      }"
  fi
}

hears() {
  [[ $heard == *"$1"* ]]
}

summary() {
  # The negative control: what was not said is not heard, and fails.
  [[ $(check 'this' hears 'what no example says') == 'FAIL  this;'* ]] || failed=$((failed + 1))
  echo "$passed passed, $failed failed"
  ((failed == 0 && passed > 0))
}
