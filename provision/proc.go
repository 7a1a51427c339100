package provision

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// portOwner says who listens on the address, or on all addresses, in words: "process 123 (java -jar x)".
func portOwner(address string, port int) string {
	inode := listenInode(address, port)
	if inode == "" {
		return "another program"
	}
	link := "socket:[" + inode + "]"
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != link {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		command, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		words := strings.Join(strings.Fields(strings.ReplaceAll(string(command), "\x00", " ")), " ")
		if len(words) > 60 {
			words = words[:60] + "..."
		}
		return fmt.Sprintf("process %s (%s)", pid, words)
	}
	return "a program of another user"
}

// listenInode finds the listening socket in /proc/net/tcp and tcp6.
func listenInode(address string, port int) string {
	want, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			const listening = "0A"
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			at, ok := procAddr(fields[1])
			if ok && int(at.Port()) == port && (at.Addr() == want || at.Addr().IsUnspecified() || want.IsUnspecified()) {
				return fields[9]
			}
		}
	}
	return ""
}

// procAddr reads 0A0A007F:1F90. The address is words of four bytes, each in the machine's byte order.
func procAddr(s string) (netip.AddrPort, bool) {
	address, portText, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	port, portErr := hex.DecodeString(portText)
	if err != nil || portErr != nil || len(port) != 2 || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(port)), ok
}
