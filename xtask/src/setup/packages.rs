//! The packages, as data.

/// Packages of Debian 12, by what they are for.
pub(super) const DEBIAN: &[(&str, &[&str])] = &[
    ("building the C code in dependencies, and fuzzing", &["gcc", "g++", "libc6-dev", "make"]),
    (
        "VNC servers",
        &["tigervnc-standalone-server", "tigervnc-common", "tigervnc-tools", "x11vnc", "wayvnc", "sway"],
    ),
    (
        "VNC clients",
        &[
            "tigervnc-viewer",
            "gir1.2-gtk-vnc-2.0",
            "gir1.2-gtk-3.0",
            "python3-gi",
            "remmina",
            "remmina-plugin-vnc",
        ],
    ),
    (
        "RDP servers, and what keeps them apart",
        &[
            "xrdp",
            "xorgxrdp",
            "freerdp2-shadow-x11",
            "winpr-utils",
            "weston",
            "gnome-remote-desktop",
            "mutter",
            "pipewire",
            "wireplumber",
            "libglib2.0-bin",
            "xwayland",
            "socat",
            "iproute2",
            "util-linux",
        ],
    ),
    ("RDP clients", &["freerdp2-x11", "rdesktop", "xclip"]),
    ("noVNC and the web application in a browser", &["chromium", "websockify", "nodejs", "npm"]),
    (
        "screens to draw on, and something to see",
        &[
            "xvfb",
            "xterm",
            "foot",
            "fonts-dejavu-core",
            "xfonts-base",
            "xkb-data",
            "x11-xkb-utils",
            "xauth",
            "dbus",
            "dbus-x11",
        ],
    ),
    ("looking and typing", &["x11-apps", "x11-utils", "x11-xserver-utils", "xdotool", "grim"]),
    ("videos of recordings", &["ffmpeg"]),
    ("the shared store", &["redis-server"]),
    ("a syslog server with TLS", &["rsyslog", "rsyslog-gnutls"]),
    ("certificates and tools from PyPI", &["openssl", "ca-certificates", "python3-venv"]),
    ("an authenticator", &["oathtool"]),
    ("keys of auditors", &["age"]),
    ("programs that use the API, and a load balancer before the gateway", &["curl", "haproxy"]),
];

/// Packages of Debian 12 that the benchmarks of recordings need besides.
#[cfg(feature = "bench")]
pub(super) const BENCHMARKS: &[&str] = &["ffmpeg"];

/// Packages of PyPI, pinned.
pub(super) const PYPI: &[&str] = &[
    "vncdotool==1.4.2",
    "aardwolf==0.2.16",
    "jwcrypto==1.5.6",
    "moto[s3,server]==5.2.5",
    "numpy==1.26.4",
    "opentelemetry-proto==1.29.0",
    "pillow==10.4.0",
    "prometheus-client==0.21.1",
    "pydantic-ocsf==3.0.0",
    "schemathesis==4.32.5",
    "standardwebhooks==1.1.0",
    "websockets==13.1",
];

/// Packages of npm, pinned. Debian 12 has Node.js 18, for which this is a playwright-core that still runs.
pub(super) const NPM: &[&str] = &["axe-core@4.10.3", "playwright-core@1.49.1", "@novnc/novnc@1.7.0"];
