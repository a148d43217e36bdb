# Runs gnome-remote-desktop and what it needs, in a network and a D-Bus session of its own.
# Usage: grd.sh CERTIFICATE KEY USERNAME PASSWORD SIZE
set -eu

# Waits for up to ten seconds until a command succeeds.
until_true() {
  tries=200
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "this did not happen: $*" >&2; exit 1; }
    sleep 0.05
  done
}

# Port 3389 is 0D3D, and state 0A is LISTEN.
listening() { grep -qs ':0D3D .* 0A ' /proc/net/tcp /proc/net/tcp6; }

ip link set lo up
pipewire &
until_true test -S "$XDG_RUNTIME_DIR/pipewire-0"
wireplumber &
mutter --headless --wayland --no-x11 --virtual-monitor "$5" --wayland-display wayland-e2e &
until_true test -S "$XDG_RUNTIME_DIR/wayland-e2e"

set_rdp() { gsettings set org.gnome.desktop.remote-desktop.rdp "$@"; }
set_rdp tls-cert "$1"
set_rdp tls-key "$2"
set_rdp view-only false
set_rdp enable true
grdctl --headless rdp set-credentials "$3" "$4"
/usr/libexec/gnome-remote-desktop-daemon --headless --rdp-port 3389 &
until_true listening
exec socat "UNIX-LISTEN:$XDG_RUNTIME_DIR/rdp,fork" TCP:127.0.0.1:3389
