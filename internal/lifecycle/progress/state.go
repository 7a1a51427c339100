package progress

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// File is where the state of the last run in a folder is.
func File(dir string) string { return filepath.Join(dir, "run.json") }

// Read is the state of the last run in a folder, which is the zero S where there never was one. Errors are those of the os and json packages.
func Read[S any](dir string) (state S, err error) {
	data, err := os.ReadFile(File(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	return state, err
}

// Write puts the state of a run in the place of what the folder has, which is made where it is missing. Errors are those of the os and json
// packages.
func Write(dir string, state any) error {
	data, err := json.MarshalIndent(state, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = wholefile.Write(File(dir), append(data, '\n'), 0o600)
	}
	return err
}
