package host

import (
	"errors"

	"golang.org/x/sys/unix"
)

// untilDead returns when a child has ended, and leaves it unreaped, so that its pid cannot be given to anybody else yet.
func untilDead(pid int) {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
