"""Which part of the whole a sample of a profile belongs to.

A sample of the kernel is told by its stack, the innermost function that says something first; one of the
program by the function that ran alone, as its stacks cannot be walked without frame pointers."""

KERNEL = [
    ("kernel: socket", ("unix_", "sock_", "skb", "tcp_", "sys_send", "sys_recv", "ep_poll", "ep_send",
                        "eventfd", "do_epoll")),
    ("kernel: sync and journal", ("fsync", "fdatasync", "sync_file", "jbd2", "writeback", "writepages")),
    ("kernel: page cache", ("generic_perform_write", "filemap_", "folio", "ext4_", "xfs_", "btrfs_",
                            "shmem_", "iomap_", "block_write", "pagecache", "truncate", "fallocate")),
    ("kernel: disk", ("blk_", "submit_bio", "virtio", "virtblk", "io_uring", "io_submit", "nvme")),
    ("kernel: memory of processes", ("exc_page_fault", "handle_mm_fault", "mmap", "munmap", "madvise",
                                     "brk", "mprotect", "mremap")),
    ("kernel: waits and switches", ("futex", "schedule", "nanosleep", "try_to_wake", "sched_yield")),
]
PROGRAM = [
    ("copies", ("memcpy", "memmove", "memset", "memcmp", "bcmp")),
    ("checksum", ("crc32", "checksum", "Checksum", "sha2", "blake")),
    ("index", ("firebrick_index", "redb", "quick_cache", "btree")),
    ("log", ("firebrick_log", "firebrick_edge")),
    ("engine", ("firebrick_engine",)),
    ("export (NBD)", ("firebrick_export",)),
    ("mirror", ("firebrick_mirror", "rustls", "ring::", "aws_lc")),
    ("site", ("firebrick_",)),
    ("locks and runtime", ("pthread", "parking_lot", "tokio", "mio::", "futex", "crossbeam", "std::sync",
                           "std::sys", "syscall", "lll_lock", "epoll_wait", "clock_gettime")),
    ("allocator", ("malloc", "calloc", "realloc", "free", "_int_", "__rdl_", "__rust_", "alloc::alloc",
                   "alloc::raw_vec", "unlink_chunk", "arena")),
]
# Innermost functions of the kernel that move bytes; what moves them says the rest of the stack.
COPYING = ("copy_to_iter", "copy_from_iter", "copy_folio_from_iter", "copy_page", "copy_user", "clear_page",
           "clear_user", "rep_movs", "memcpy")
COPIED = ", copying"
OTHER_KERNEL = "kernel: other"
OTHER = "other"
NAMES = [name + tail for name in [*(name for name, _ in KERNEL), OTHER_KERNEL] for tail in ("", COPIED)]
NAMES += [*(name for name, _ in PROGRAM), OTHER]


def _first(groups, function):
    for name, parts in groups:
        if any(part in function for part in parts):
            return name
    return None


def group_of(stack):
    """The group of a sample: its functions with the files that they are from, the innermost first."""
    function, file = stack[0]
    if "kernel" in file or file == "[vdso]":
        inside = [name for name, origin in stack if "kernel" in origin]
        group = next(filter(None, (_first(KERNEL, name) for name in inside)), OTHER_KERNEL)
        return group + COPIED if any(part in function for part in COPYING) else group
    return _first(PROGRAM, function) or OTHER


def stacks(text):
    """The samples that `perf script -F ip,sym,dso` prints."""
    stack = []
    for line in text.splitlines():
        if line.strip():
            _, _, rest = line.strip().partition(" ")
            function, _, file = rest.rpartition(" (")
            stack.append((function, file.rstrip(")")))
        elif stack:
            yield stack
            stack = []
    if stack:
        yield stack
