//! Takes from the process that renders all that it does not need, for what it reads comes from anybody.
//!
//! It can then read its standard input, write to its standard output and standard error, allocate a bounded amount of memory
//! and end. Anything else, such as a file, a socket or another process, ends it at once.

use std::collections::BTreeMap;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as ArgLen, SeccompCmpOp as Op,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule, TargetArch,
};

/// How much less important than the gateway it is (1 to 19).
const NICE: i32 = 10;
/// `PROT_EXEC`: memory whose content is run.
const EXECUTABLE: u64 = 4;

/// Why a process is not confined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    #[error("its limits cannot be set: {0}")]
    Limits(#[from] rustix::io::Errno),
    #[error("this kind of processor is not known to the filter of system calls: {0}")]
    Processor(BackendError),
    #[error("the kernel does not confine it: {0}")]
    Filter(#[from] seccompiler::Error),
}

/// Bounds memory to so many bytes of address space, forbids core dumps and new files, and steps back behind others.
pub(crate) fn limit(memory: u64) -> Result<(), ConfineError> {
    for (resource, limit) in [
        (Resource::As, memory),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 3),
        (Resource::Nproc, 0),
    ] {
        // What others have limited already stays so.
        let limit = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    // Not to be less important is no reason not to render.
    let _ = nice(NICE);
    Ok(())
}

/// Leaves the process only the system calls that it needs. There is no way back.
pub(crate) fn confine() -> Result<(), ConfineError> {
    seccompiler::apply_filter(&program()?)?;
    Ok(())
}

fn program() -> Result<BpfProgram, ConfineError> {
    build().map_err(ConfineError::Processor)
}

fn build() -> Result<BpfProgram, BackendError> {
    let equals = |index: u8, value: u64| Condition::new(index, ArgLen::Dword, Op::Eq, value);
    let not_executable = || Condition::new(2, ArgLen::Dword, Op::MaskedEq(EXECUTABLE), 0);
    let mut rules: BTreeMap<i64, Vec<Rule>> = [
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_sched_yield,
        // Asked for by decoders of video that could use several processors.
        libc::SYS_sched_getaffinity,
        libc::SYS_getpid,
        libc::SYS_gettid,
    ]
    .into_iter()
    .map(|call| (call, Vec::new()))
    .collect();
    let own = u64::from(std::process::id());
    for (call, conditions) in [
        (libc::SYS_read, vec![equals(0, 0)?]),
        (libc::SYS_write, vec![equals(0, 1)?]),
        (libc::SYS_mmap, vec![not_executable()?]),
        (libc::SYS_mprotect, vec![not_executable()?]),
        // It may only end itself.
        (libc::SYS_tgkill, vec![equals(0, own)?, equals(2, libc::SIGABRT as u64)?]),
    ] {
        rules.insert(call, vec![Rule::new(conditions)?]);
    }
    // Without its last words, for which it has no memory, it could not end as one that has none.
    let last_words = Rule::new(vec![equals(0, 2)?])?;
    rules.entry(libc::SYS_write).or_default().push(last_words);
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)?.try_into()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, ExitStatus, Stdio};

    use super::*;

    /// Says to the test below, run in a process of its own, what it shall try.
    const TRY: &str = "PASSERELLE_TEST_CONFINED_TRIES";

    fn status_of(what: &str) -> ExitStatus {
        let this = std::env::current_exe().unwrap();
        let victim = "views::confine::tests::a_confined_process";
        let mut command = Command::new(this);
        command.args([victim, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).env(TRY, what);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
    }

    #[test]
    #[ignore = "is run by the tests below, in a process of its own"]
    fn a_confined_process() {
        let Ok(what) = std::env::var(TRY) else { return };
        let program = program().unwrap();
        // Held back until here, for making them takes calls that are not allowed any more.
        let address: std::net::SocketAddr = ([127, 0, 0, 1], 9).into();
        seccompiler::apply_filter(&program).unwrap();
        match what.as_str() {
            "nothing" => {
                let pixels = vec![7u8; 64 << 20];
                std::io::stdout().write_all(&pixels[..5]).unwrap();
            }
            "file" => drop(std::fs::File::open("/etc/passwd")),
            "socket" => drop(std::net::TcpStream::connect(address)),
            "process" => drop(Command::new("/bin/true").status()),
            "thread" => drop(std::thread::spawn(|| ())),
            other => panic!("{other}"),
        }
        std::process::exit(42);
    }

    #[test]
    fn files_sockets_and_processes_end_a_confined_process() {
        assert_eq!(status_of("nothing").code(), Some(42));
        for what in ["file", "socket", "process", "thread"] {
            assert_eq!(status_of(what).signal(), Some(libc::SIGSYS), "{what}");
        }
    }
}
