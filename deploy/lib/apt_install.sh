#!/usr/bin/env bash
# Installs Debian packages as root, without starting or enabling the services that some of them bring: hbagent runs its
# own instances of those servers. Services that are on this machine already are left as they are.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Each is the name of a package and of its service.
readonly SERVICES=(postgresql mosquitto prometheus)
readonly POLICY=/usr/sbin/policy-rc.d
readonly SAVED_POLICY=/usr/sbin/policy-rc.d.before-hbagent
readonly MARK='Written by hbagent for the time of one installation.'
readonly CLUSTER_SETTINGS=/etc/postgresql-common/createcluster.d/hbagent.conf

is_installed() { [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Puts everything back; also after an earlier run that was killed in the middle.
restore() {
  if grep -qsF "$MARK" "$POLICY"; then
    rm -f "$POLICY"
    [[ ! -e $SAVED_POLICY && ! -L $SAVED_POLICY ]] || mv "$SAVED_POLICY" "$POLICY"
  fi
  rm -f "$CLUSTER_SETTINGS"
}

# Debian asks policy-rc.d before it starts a service. Ours says no for the new ones and asks the machine's own, if there
# is one, about all others. PostgreSQL would besides make a cluster that nobody asked for.
hold_back() {
  local patterns
  printf -v patterns '%s*|' "$@"
  [[ ! -e $POLICY && ! -L $POLICY ]] || mv "$POLICY" "$SAVED_POLICY"
  cat >"$POLICY" <<END
#!/bin/sh
# $MARK
for argument; do
  case "\$argument" in
    --*) ;;
    ${patterns%|}) exit 101 ;;
    *) break ;;
  esac
done
[ ! -x $SAVED_POLICY ] || exec $SAVED_POLICY "\$@"
exit 0
END
  chmod 755 "$POLICY"
  mkdir -p "${CLUSTER_SETTINGS%/*}"
  printf 'create_main_cluster = false\n' >"$CLUSTER_SETTINGS"
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q "$@"
}

main() {
  local service new=()
  ((EUID == 0)) || fail "must run as root"
  for service in "${SERVICES[@]}"; do
    is_installed "$service" || new+=("$service")
  done
  apt_get update || fail "the package lists cannot be refreshed; apt says why above"
  trap restore EXIT
  trap 'exit 130' INT TERM HUP
  restore
  ((${#new[@]} == 0)) || hold_back "${new[@]}"
  apt_get install --yes --no-install-recommends "$@" ||
    fail "apt could not install the packages. \"Failed to fetch\" or \"Unable to locate\" above mean that this machine" \
      "does not reach its Debian mirror."
  for service in "${new[@]}"; do
    is_installed "$service" || continue
    # Removes the links of systemd and of the older init alike, with or without either on this machine.
    update-rc.d "$service" disable || fail "the system service $service could not be disabled"
    say "The system service $service was neither started nor enabled."
  done
}
main "$@"
