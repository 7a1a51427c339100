package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/op"
)

var (
	accountID    = regexp.MustCompile(`<id>([^<]*)</id>`)
	passwordHash = regexp.MustCompile(`<passwordHash>([^<]*)</passwordHash>`)
)

// keepAdmin gives the cluster's account in a restored home the password that the cluster has now: the backup may be of a time when it
// was another one, and nobody could log in, jomctl neither. A home without that account is left alone.
func keepAdmin(home string, c *config.Cluster, say op.Say) error {
	password, err := c.Jenkins.Admin.Password.Resolve(c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the admin's password: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(escaped(home), "users", "*", "config.xml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading an account of the restored home: %w", err)
		}
		id, hash := accountID.FindSubmatch(data), passwordHash.FindSubmatch(data)
		if id == nil || hash == nil || !strings.EqualFold(string(id[1]), c.Jenkins.Admin.User) || jenkins.PasswordMatches(string(hash[1]), password) {
			continue
		}
		now, err := jenkins.HashPassword(password)
		if err != nil {
			return err
		}
		text := passwordHash.ReplaceAllLiteral(data, []byte("<passwordHash>"+now+"</passwordHash>"))
		if err := os.WriteFile(file, text, 0o600); err != nil { // it is there, and keeps its mode
			return fmt.Errorf("giving the account %s its password: %w", c.Jenkins.Admin.User, err)
		}
		say("the account %s had another password then, and gets the one of %s", c.Jenkins.Admin.User, c.Jenkins.Admin.Password)
	}
	return nil
}

// escaped keeps Glob from reading patterns into a folder's name.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}
