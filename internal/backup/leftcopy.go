package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// copyKept copies a file of one folder to the same place of another one, with mode, time and owner; folders that are missing there are
// made like those that it is in.
func copyKept(from, to, name string) error {
	err := likeFolders(from, to, filepath.Dir(name))
	if err == nil {
		err = likeFile(filepath.Join(from, name), filepath.Join(to, name))
	}
	if err != nil {
		return fmt.Errorf("keeping %s: %w", filepath.Join(from, name), err)
	}
	return nil
}

func likeFolders(from, to, name string) error {
	if _, err := os.Stat(filepath.Join(to, name)); err == nil {
		return nil
	}
	if name == "." {
		return os.MkdirAll(to, 0o700)
	}
	if err := likeFolders(from, to, filepath.Dir(name)); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(from, name))
	if err != nil {
		return err
	}
	path := filepath.Join(to, name)
	if err := os.Mkdir(path, info.Mode().Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(os.Chmod(path, info.Mode().Perm()), likeOwner(path, info))
}

func likeFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(to), ".keep-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = io.Copy(temp, source)
	err = errors.Join(err, likeOwner(temp.Name(), info), temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Chtimes(temp.Name(), info.ModTime(), info.ModTime())
	}
	if err == nil {
		err = os.Rename(temp.Name(), to)
	}
	return err
}

// likeOwner gives a file to the owner of another one, which only root can do and only root needs.
func likeOwner(path string, info fs.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}
