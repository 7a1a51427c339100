// Package jsonlines keeps a list of values in a file, each as JSON on a line of its own (https://jsonlines.org).
package jsonlines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// Read is the values of a file, the first line first; none where there is no file. A line that is none of T, also one cut short, is an
// error that names the file.
func Read[T any](path string) ([]T, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []T
	for decoder := json.NewDecoder(bytes.NewReader(data)); decoder.More(); {
		var one T
		if err := decoder.Decode(&one); err != nil {
			return nil, fmt.Errorf("%s, value %d: %w", path, len(all)+1, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// Append adds a value to a file, which only its owner may read, and takes those away that without picks. The folder must be there. The file
// is replaced as a whole: a loss of power leaves no half line.
func Append[T any](path string, value T, without func(T) bool) error {
	all, err := Read[T](path)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, one := range all {
		if without(one) {
			continue
		}
		if err := encoder.Encode(one); err != nil {
			return err
		}
	}
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return wholefile.Write(path, text.Bytes(), 0o600)
}
