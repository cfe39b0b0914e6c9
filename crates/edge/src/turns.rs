//! Threads that do what nobody waits for.

#![expect(unsafe_code, reason = "no safe wrapper has this system call")]

use std::io;

/// For how long such a thread computes before the system looks whether it is another one's turn, in
/// nanoseconds.
const SLICE: u64 = 50_000_000;

/// Lets every other thread that wakes up run before the calling one, from now on: for threads that do what
/// nobody waits for. Their share of the processors stays the same; so who waits for a lock of theirs does
/// not wait for long.
///
/// Linux lets those who want little at a time go before those who want much, from 6.12 on
/// (<https://man7.org/linux/man-pages/man2/sched_setattr.2.html>, `sched_runtime` of `SCHED_OTHER`). An
/// older one does nothing; where one refuses it, all goes on as before.
pub fn let_others_go_first() -> io::Result<()> {
    let wish = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: rustix::process::getpriority_process(None)?,
        sched_priority: 0,
        sched_runtime: SLICE,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the pointer is to live memory of the size that it says itself, which the call only reads; 0
    // stands for the calling thread.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wish, 0) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_takes_the_wish_of_a_thread() {
        let asked = std::thread::spawn(let_others_go_first).join().unwrap();
        asked.unwrap();
    }
}
