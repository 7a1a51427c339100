package home

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// beforeStart is the folder in the home that keeps the last config.xml and queue.xml from before a start. A boot that
// fails leaves an empty queue.xml, and one boot with a plugin missing rewrites config.xml without that plugin's settings.
const beforeStart = ".jomctl/before-start"

// Own takes the home for this process. A second controller on the same home would start happily and overwrite the first
// one's files, so whoever comes second is refused. The lock ends with the process, however it ends.
func Own(home string) (release func(), err error) {
	if err := os.MkdirAll(filepath.Join(home, ".jomctl"), 0o755); err != nil {
		return nil, fmt.Errorf("making the home %s: %w", home, err)
	}
	path := filepath.Join(home, ".jomctl", "owner")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the owner file of the home: %w", err)
	}
	giveOwner(home, file)
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := os.ReadFile(path)
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the home %s is in use by another controller (%s)", home, strings.TrimSpace(string(owner)))
		}
		return nil, fmt.Errorf("locking the home %s: %w", home, err)
	}
	_ = file.Truncate(0) // the lock is what counts; what the file says counts where a file system knows no locks (see taken)
	_, _ = fmt.Fprint(file, ownerText())
	return func() { file.Close() }, nil
}

// giveOwner makes the owner file that root has just made the home's own, so that a controller that is not root can open it.
func giveOwner(home string, file *os.File) {
	of, err := os.Stat(home)
	is, fileErr := file.Stat()
	if err != nil || fileErr != nil || os.Geteuid() != 0 {
		return
	}
	want, ok := of.Sys().(*syscall.Stat_t)
	have, also := is.Sys().(*syscall.Stat_t)
	if ok && also && have.Uid == 0 && want.Uid != 0 { // where that fails the controller says so
		_ = file.Chown(int(want.Uid), int(want.Gid))
		_ = os.Lchown(filepath.Dir(file.Name()), int(want.Uid), int(want.Gid))
	}
}

// Prepare makes the home ready for a start: seed files where nothing is, the plugins as given, copies of the two files that a bad boot
// destroys, and then the cloud in config.xml as given. Where the plugins are not those of the lock nothing is touched.
func Prepare(c Controller) error {
	if err := checkMasterKey(c); err != nil {
		return err
	}
	if err := checkLock(c); err != nil {
		return err
	}
	if err := checkConfig(c.Home); err != nil {
		return err
	}
	if err := seed(c.Seed, c.Home); err != nil {
		return fmt.Errorf("laying down the home's first files: %w", err)
	}
	if c.Plugins != "" {
		if err := plugins(c.Plugins, filepath.Join(c.Home, "plugins")); err != nil {
			return fmt.Errorf("laying down the plugins: %w", err)
		}
	}
	if err := keepCopies(c.Home); err != nil || c.Clouds == "" {
		return err
	}
	return mergeClouds(c.Home, c.Clouds)
}

// seed copies files that are not there. The users folder counts as a whole: Jenkins renames the folders in it at the
// first boot, so a user laid down again under the first name would be a second one.
func seed(from, home string) error {
	if err := seedUsers(filepath.Join(from, "users"), home); err != nil {
		return err
	}
	return lay(from, home, "users")
}

// seedUsers lays the first accounts down, all of them at once: one that were missing after a start that was cut off could never come later.
func seedUsers(from, home string) error {
	users, aside := filepath.Join(home, "users"), filepath.Join(home, ".jomctl", "users.new")
	if some, err := hasFiles(users); some || err != nil {
		return err
	}
	if some, err := hasFiles(from); !some || err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(aside), os.RemoveAll(users)); err != nil { // folders without a file
		return err
	}
	if err := lay(from, aside, ""); err != nil {
		return err
	}
	return os.Rename(aside, users)
}

// hasFiles says whether there is a file anywhere below a folder; no folder has none.
func hasFiles(folder string) (bool, error) {
	found := errors.New("found")
	err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			err = found
		}
		return err
	})
	switch {
	case errors.Is(err, found):
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, err
}

// lay copies the files of a folder that another does not have, but for those in the folder that is left out.
func lay(from, to, without string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == without {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		if _, err := os.Lstat(filepath.Join(to, name)); err == nil {
			return nil
		}
		return copyFile(path, filepath.Join(to, name))
	})
}

// plugins makes the home's plugin files those of the folder. Jenkins wants the ending .jpi; an unpacked folder of another
// version of the plugin is removed, or Jenkins would go on with it.
func plugins(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !isPlugin(entry) {
			continue
		}
		base := pluginName(filepath.Join(from, name))
		target := filepath.Join(to, base+".jpi")
		if same(filepath.Join(from, name), target) {
			continue
		}
		if err := errors.Join(os.RemoveAll(filepath.Join(to, base)), os.RemoveAll(filepath.Join(to, base+".hpi"))); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(from, name), target); err != nil {
			return err
		}
	}
	return nil
}

// generations is how many different states of a file are kept from before a start: a bad boot is often tried again and
// again, and each time what it left would take the place of a good copy.
const generations = 5

func keepCopies(home string) error {
	kept := filepath.Join(home, beforeStart)
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return fmt.Errorf("making %s: %w", kept, err)
	}
	for _, name := range []string{"config.xml", "queue.xml"} {
		source, newest := filepath.Join(home, name), filepath.Join(kept, name)
		if info, err := os.Stat(source); err != nil || info.Size() == 0 || same(source, newest) {
			continue // an emptied file is what a bad boot leaves: the older copy is worth more
		}
		for i := generations - 1; i > 0; i-- {
			older := newest
			if i > 1 {
				older += fmt.Sprintf(".%d", i-1)
			}
			if err := os.Rename(older, newest+fmt.Sprintf(".%d", i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("keeping older copies of %s: %w", name, err)
			}
		}
		if err := copyFile(source, newest); err != nil {
			return fmt.Errorf("keeping a copy of %s before the start: %w", name, err)
		}
	}
	return nil
}

func same(a, b string) bool {
	one, errOne := os.ReadFile(a)
	two, errTwo := os.ReadFile(b)
	return errOne == nil && errTwo == nil && bytes.Equal(one, two)
}

// copyFile copies through a temporary file, so that a cut-off copy never looks like a whole one.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return wholefile.Write(to, data, info.Mode().Perm()|0o200) // what is laid down may be read-only, the home is the controller's to change
}

// checkMasterKey refuses a start that would leave everything encrypted unreadable, or that lets others read the key.
func checkMasterKey(c Controller) error {
	if c.MasterKey == "" {
		return nil
	}
	info, err := os.Stat(c.MasterKey)
	if err != nil {
		return fmt.Errorf("looking for the master key of the home: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the master key %s has mode %04o, so that others may read it: chmod 600 it", c.MasterKey, info.Mode().Perm())
	}
	key, err := os.ReadFile(c.MasterKey)
	if err != nil {
		return fmt.Errorf("reading the master key of the home: %w", err)
	}
	if len(bytes.TrimSpace(key)) == 0 {
		return fmt.Errorf("the master key %s is empty", c.MasterKey)
	}
	inside, err := os.ReadFile(filepath.Join(c.Home, "secrets", "master.key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !bytes.Equal(bytes.TrimSpace(inside), bytes.TrimSpace(key)) {
		err = errors.New("it is another one than secrets/master.key in the home, by which the home's secrets are encrypted: put that into the file of jenkins.home.masterKey")
	}
	if err != nil {
		return fmt.Errorf("comparing the master key %s with the home's: %w", c.MasterKey, err)
	}
	return nil
}

// checkConfig refuses a start on a config.xml without content, as a loss of power leaves it: Jenkins fails on it, and says no more than that.
func checkConfig(home string) error {
	config, before := filepath.Join(home, "config.xml"), filepath.Join(home, beforeStart, "config.xml")
	data, err := os.ReadFile(config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is laid down
	}
	if err != nil {
		return fmt.Errorf("reading the settings of the home: %w", err)
	}
	if len(bytes.Trim(data, "\x00 \t\r\n")) > 0 {
		return nil
	}
	fix := "`jomctl home restore --at COMMIT --only config.xml` gets it from the home's history"
	if _, err := os.Stat(before); err == nil {
		fix = "put " + before + " in its place, which is from before an earlier start, or: " + fix
	}
	return fmt.Errorf("%s holds nothing in %d bytes, as after a loss of power or on a full disk: %s", config, len(data), fix)
}
