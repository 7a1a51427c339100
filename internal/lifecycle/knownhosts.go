package lifecycle

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- what OpenSSH hashes names with
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// knownKeys are the lines of the user's known_hosts about the server of a URL: the host keys that somebody has looked at.
func (e *Env) knownKeys(url string) ([]byte, error) {
	name, port, ok := sshServer(url)
	if !ok {
		return nil, nil
	}
	return knownKeysOf(name, port)
}

func knownKeysOf(name, port string) ([]byte, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("looking for known_hosts: %w", err)
	}
	file := filepath.Join(home, ".ssh", "known_hosts")
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the known host keys: %w", err)
	}
	lines := knownLines(data, name, port)
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s has no key of %s, so that nobody can tell it from another server", file, name)
	}
	return lines, nil
}

// knownLines are the lines of a known_hosts file that are about a server.
func knownLines(data []byte, name, port string) []byte {
	if port != "22" {
		name = "[" + name + "]:" + port
	}
	var out bytes.Buffer
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.HasPrefix(fields[0], "@") {
			fields = fields[1:]
		}
		if len(fields) < 3 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if knownName(fields[0], name) {
			out.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return out.Bytes()
}

// knownName says whether a field of names, hashed or with patterns, is about a name.
func knownName(field, name string) bool {
	if rest, ok := strings.CutPrefix(field, "|1|"); ok {
		salt, sum, _ := strings.Cut(rest, "|")
		key, err := base64.StdEncoding.DecodeString(salt)
		if err != nil {
			return false
		}
		mac := hmac.New(sha1.New, key)
		mac.Write([]byte(name))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil)) == sum
	}
	found := false
	for pattern := range strings.SplitSeq(field, ",") {
		plain, not := strings.CutPrefix(pattern, "!")
		matched := strings.EqualFold(plain, name)
		if !matched && strings.ContainsAny(plain, "*?") {
			matched, _ = path.Match(strings.NewReplacer("[", `\[`, "]", `\]`).Replace(plain), name)
		}
		if matched && not {
			return false
		}
		found = found || matched
	}
	return found
}
