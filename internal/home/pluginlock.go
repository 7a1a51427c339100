package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/filesum"
)

// checkLock compares the plugins that a start would have with those that must be there, and changes nothing. Others do no harm.
func checkLock(c Controller) error {
	if len(c.PluginLock) == 0 {
		return nil
	}
	given, err := pluginFiles(c.Plugins)
	if err != nil {
		return err
	}
	problems := make([]error, 0, len(c.PluginLock))
	for _, want := range c.PluginLock {
		there := filepath.Join(c.Home, "plugins", want.Name+".jpi")
		file, brought := given[want.Name]
		if !brought {
			file = there
		}
		problem := want.check(file)
		if _, err := os.Lstat(there + ".disabled"); err == nil {
			problem = errors.Join(problem, fmt.Errorf("%s is disabled by the file %s.disabled", want.Name, there))
		}
		problems = append(problems, problem)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("the plugins are not those of the lock, and a start would drop their settings from the home, which was not touched "+
			"(put them right, or let `jomctl install` take over others): %w", err)
	}
	return nil
}

// pluginFiles are the plugin files of a folder by their short names; no folder has none.
func pluginFiles(folder string) (map[string]string, error) {
	files := map[string]string{}
	if folder == "" {
		return files, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("reading the plugins: %w", err)
	}
	for _, entry := range entries {
		if path := filepath.Join(folder, entry.Name()); isPlugin(entry) {
			files[pluginName(path)] = path
		}
	}
	return files, nil
}

func isPlugin(entry fs.DirEntry) bool {
	ext := filepath.Ext(entry.Name())
	return !entry.IsDir() && (ext == ".hpi" || ext == ".jpi")
}

// check says how a file is not the plugin.
func (p LockedPlugin) check(file string) error {
	plugin, err := ReadPlugin(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s is not there (%s)", p.Name, p.Version, file)
	case err != nil:
		return err
	case plugin.Version != p.Version:
		return fmt.Errorf("%s is %s instead of %s (%s)", p.Name, plugin.Version, p.Version, file)
	case p.SHA256 == "":
		return nil
	}
	sum, err := filesum.SHA256(file)
	if err == nil && sum != p.SHA256 {
		err = fmt.Errorf("%s %s is another file than the locked one: %s has the sha256 %s, and must have %s", p.Name, p.Version, file, sum, p.SHA256)
	}
	return err
}
