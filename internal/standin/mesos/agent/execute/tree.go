package execute

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// Started is when a process started, in clock ticks since the boot; with its id it names one process for ever. It is 0
// where there is no such process.
func Started(pid int) uint64 {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	field := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(field) < 20 {
		return 0
	}
	ticks, _ := strconv.ParseUint(string(field[19]), 10, 64)
	return ticks
}

// process is what /proc says about one process.
type process struct{ pid, parent, group, session int }

func processes() []process {
	folder, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(-1)
	var all []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// The name in parentheses may itself hold spaces and parentheses.
		field := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(field) < 4 || field[0][0] == 'Z' {
			continue
		}
		one := process{pid: pid}
		one.parent, _ = strconv.Atoi(string(field[1]))
		one.group, _ = strconv.Atoi(string(field[2]))
		one.session, _ = strconv.Atoi(string(field[3]))
		all = append(all, one)
	}
	return all
}

// Tree lists the process that leads session root, everything in its session and group and all their descendants.
func Tree(root int) []int {
	if root <= 1 {
		return nil
	}
	all, in := processes(), map[int]bool{}
	var list []int
	for again := true; again; {
		again = false
		for _, one := range all {
			if !in[one.pid] && (one.pid == root || one.session == root || one.group == root || in[one.parent]) {
				in[one.pid], again = true, true
				list = append(list, one.pid)
			}
		}
	}
	return list
}

// KillTree signals the whole Tree of root and returns how many processes it had.
func KillTree(root int, sig syscall.Signal) int {
	list := Tree(root)
	for _, pid := range list {
		_ = syscall.Kill(pid, sig)
	}
	return len(list)
}
