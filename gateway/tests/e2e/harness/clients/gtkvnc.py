"""Logs in with gtk-vnc, types a line and keeps writing what it sees to a file.

Usage: gtkvnc.py PORT X Y LINE OUT.png, with E2E_USERNAME and E2E_PASSWORD in the environment.
"""

import os
import sys

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
gi.require_version("GtkVnc", "2.0")
from gi.repository import Gdk, GLib, Gtk, GtkVnc

port, x, y, line, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]

ANSWERS = {
    GtkVnc.DisplayCredential.USERNAME: os.environ["E2E_USERNAME"],
    GtkVnc.DisplayCredential.PASSWORD: os.environ["E2E_PASSWORD"],
}


def give_credentials(display, wanted):
    for index in range(wanted.n_values):
        kind = wanted.get_nth(index)
        display.set_credential(kind, ANSWERS[GtkVnc.DisplayCredential(kind)])


def initialized(display):
    GLib.timeout_add(700, type_line, display)


def type_line(display):
    display.send_pointer(x, y, 0)
    for character in line:
        display.send_keys([Gdk.unicode_to_keyval(ord(character))])
    display.send_keys([Gdk.KEY_Return])
    GLib.timeout_add(300, look, display)
    return False


def look(display):
    picture = display.get_pixbuf()
    if picture is not None:
        picture.savev(out + ".new", "png", [], [])
        os.rename(out + ".new", out)
    return True


def fail(display, *reason):
    print("gtk-vnc:", *reason, file=sys.stderr, flush=True)
    os._exit(1)


window = Gtk.Window()
display = GtkVnc.Display()
window.add(display)
display.connect("vnc-auth-credential", give_credentials)
display.connect("vnc-auth-failure", lambda display, reason: fail(display, "login refused:", reason))
display.connect("vnc-auth-unsupported", lambda display, kind: fail(display, "no login for type", kind))
display.connect("vnc-error", lambda display, reason: fail(display, "error:", reason))
display.connect("vnc-disconnected", lambda display: fail(display, "disconnected"))
display.connect("vnc-initialized", initialized)
window.show_all()
display.open_host("127.0.0.1", port)
Gtk.main()
