package keep

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf16"

	"github.com/jomctl/jomctl/internal/jenkinsxml"
)

// hashedUser is a folder of users/ as Jenkins names it: the id's first letters and digits, and an HMAC made with a key that
// lies in secrets/. With another key, or none, Jenkins ignores the folder; under its bare id it takes the user over.
var hashedUser = regexp.MustCompile(`^users/[^/]*_[0-9a-f]{64}/config\.xml$`)

// Name returns the name under which the history keeps a file of the home: the same, but for users, whose folder is named
// by the id in the file so that it means something without the key in secrets/.
func Name(file string, data []byte) (string, error) {
	if !hashedUser.MatchString(file) {
		return file, nil
	}
	var user struct {
		ID string `xml:"id"`
	}
	if err := jenkinsxml.NewDecoder(bytes.NewReader(data)).Decode(&user); err != nil {
		return "", fmt.Errorf("reading the id of a user in %s: %w", file, err)
	}
	if user.ID == "" || strings.Contains(user.ID, "?") { // a letter that is not read: two users must not become one
		return "", fmt.Errorf("%s has no <id> that can be read, so that nobody could use it in another home", file)
	}
	return path.Join("users", userFolder(user.ID), "config.xml"), nil
}

// Hashed says whether the file's name in the history is taken from its content.
func Hashed(file string) bool { return hashedUser.MatchString(file) }

// userFolder is the name that Jenkins gave to the folder of a user before it hashed: what is not a lower-case letter, a
// digit or one of -_. is written as $ and four hexadecimal digits for each of Java's chars, which it still reads.
func userFolder(id string) string {
	var name strings.Builder
	for i, r := range strings.ToLower(id) {
		plain := r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' && i > 0
		if plain {
			name.WriteRune(r)
			continue
		}
		for _, char := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&name, "$%04x", char)
		}
	}
	return name.String()
}
