"""What a process takes from itself before it runs a stranger's code. Linux only; none of it can be undone.

Python 3.11 has no calls for namespaces, mounts and capabilities, so these few go to the C library. The seccomp filter
is made by libseccomp.
"""

import ctypes
import os
import resource
from typing import NamedTuple

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x8000000, 0x20000000, 0x40000000
CLONE_THREAD = 0x10000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 1, 24, 47, 4
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
INSTRUCTION = 8  # bytes of one in a filter
CAPABILITY_VERSION_3 = 0x20080522
AF_UNIX = 1
REFUSED = """
    fork vfork execve execveat
    kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_getfd pidfd_send_signal
    ptrace process_vm_readv process_vm_writev process_madvise kcmp perf_event_open bpf userfaultfd
    mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    name_to_handle_at open_by_handle_at
    keyctl add_key request_key io_uring_setup io_uring_enter io_uring_register
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct quotactl syslog
    sethostname setdomainname personality settimeofday clock_settime clock_adjtime adjtimex
    setpriority sched_setscheduler sched_setattr ioprio_set iopl ioperm modify_ldt vhangup lookup_dcookie
"""


class Limits(NamedTuple):
    """What one submission may use."""

    timeout: float = 30.0  # seconds for one cell
    memory: int = 2 << 30  # bytes for a process, beyond what the warm process has
    disk: int = 64 << 20  # bytes of files, and of one file
    output: int = 1 << 20  # characters that one cell may write to a stream
    traffic: int = 64 << 20  # bytes that one process may send to the grader
    files: int = 1024  # the highest descriptor
    total: float = 300.0  # seconds for a whole notebook


libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    result = libc.mount(_encoded(source), target.encode(), _encoded(kind), ctypes.c_ulong(flags), _encoded(data))
    _check(result, f"mount {target}")


def die_with_parent() -> None:
    _check(libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl")


def next_child_alone(own_namespace: int) -> None:
    """The next child of this process will see no process but itself. `own_namespace` is open on /proc/self/ns/pid."""
    _check(libc.setns(own_namespace, CLONE_NEWPID), "setns")  # a process may leave for one new namespace at a time
    _check(libc.unshare(CLONE_NEWPID), "unshare")


def own_network() -> None:
    """None, like before; but a network is also where sockets without an address of the network find each other."""
    _check(libc.unshare(CLONE_NEWNET), "unshare")


def own_files(disk: int) -> None:
    """A new, empty, small /job and /dev/shm, a /proc of this process alone; the rest is read-only already."""
    _check(libc.unshare(CLONE_NEWNS | CLONE_NEWIPC), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("tmpfs", "/job", "tmpfs", MS_NOSUID | MS_NODEV, f"size={disk},nr_inodes=4096,mode=755")
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=64,mode=1777")


def drop_capabilities() -> None:
    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    for capability in range(64):  # those that this kernel does not have are refused, which is just as well
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    none = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, each of 64 bits in two halves
    _check(libc.capset(ctypes.byref(Header(CAPABILITY_VERSION_3, 0)), ctypes.byref(none)), "capset")


def limit_resources(limits: Limits) -> None:
    with open("/proc/self/statm") as file:
        already = int(file.read().split()[0]) * resource.getpagesize()
    memory = already + limits.memory
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits.disk),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(what, (most, most))
    resource.setrlimit(resource.RLIMIT_NPROC, (512, 512))  # threads; see `sandbox` for a limit that root heeds too


def seccomp_filter() -> bytes:
    """The filter, for the kernel: no new process or program, no signal to others, no network, no administration."""
    import pyseccomp as seccomp  # needs libseccomp, which is on Linux only

    refuse, absent = seccomp.ERRNO(1), seccomp.ERRNO(38)
    made = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in REFUSED.split():
        try:
            number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
        except ValueError:  # not on this architecture
            continue
        if number >= 0:
            made.add_rule(refuse, name)
    made.add_rule(absent, "clone3")  # its flags lie in memory, which no filter sees; the C library then uses clone
    made.add_rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
    made.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.NE, AF_UNIX))
    with open(os.memfd_create("filter"), "rb+") as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def load_seccomp(filter: bytes) -> None:
    """Heed a filter from now on. (libseccomp's own call would make it anew in every child, which takes 2 ms.)"""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    program = Program(len(filter) // INSTRUCTION, filter)
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0), "seccomp")
