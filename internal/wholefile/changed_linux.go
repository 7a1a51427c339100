package wholefile

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when a file or its name was changed last. Nobody can set it, as a program that copies files with their times sets the other one.
func changed(info fs.FileInfo) time.Time {
	stat, is := info.Sys().(*syscall.Stat_t)
	if !is {
		return info.ModTime()
	}
	return time.Unix(stat.Ctim.Unix())
}
