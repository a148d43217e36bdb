//! Device redirection (MS-RDPEFS and its relatives).
