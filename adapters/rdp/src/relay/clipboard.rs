//! The clipboard (MS-RDPECLIP).
