package bundles

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// CascDir is the folder of a release with files of configuration as code, *.yaml or *.yml, which the controller reads beside jomctl's own.
const CascDir = "casc"

// CascFile is one of them. Name is its name in CascDir.
type CascFile struct {
	Name string
	Data []byte
}

// readCasc reads the folder, which may be missing. What is not YAML by its name is an error: nobody would ever read it.
func (r *Release) readCasc() error {
	entries, err := fs.ReadDir(r.files, CascDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(CascDir, entry.Name())
		if ext := path.Ext(name); entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			return fmt.Errorf("%s: want files of configuration as code alone, named *.yaml or *.yml", name)
		}
		data, err := fs.ReadFile(r.files, name)
		if err != nil {
			return err
		}
		r.Casc = append(r.Casc, CascFile{Name: entry.Name(), Data: data})
	}
	return nil
}
