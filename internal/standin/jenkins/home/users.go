package home

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/crypto/bcrypt"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

const (
	hashPrefix  = "#jbcrypt:"
	detailsName = "hudson.security.HudsonPrivateSecurityRealm_-Details"
	tokensName  = "jenkins.security.ApiTokenProperty"
	tokenName   = "jenkins.security.apitoken.ApiTokenStore_-HashedToken"
)

// Users are the accounts in users/. All methods may be called concurrently.
type Users struct {
	mu     sync.Mutex
	dir    string
	secret []byte
	byID   map[string]*account // key: lower-case id
	// checked remembers passwords that bcrypt accepted, which takes 50 ms and more each time.
	checked map[string][32]byte
}

type account struct {
	id, folder string
	tree       *xmltree.Node
	uses       map[string]int
}

// User is what the REST API shows of an account.
type User struct{ ID, FullName, Description string }

// LoadUsers migrates and reads users/: users.xml is deleted, a folder gets the name that belongs to its id under this
// home's secrets. A folder that looks migrated under other secrets is ignored, as the real one does; the warnings say which.
func LoadUsers(home string) (*Users, []string, error) {
	secret, err := Secret(home, "hudson.model.User.DIRNAMES", 48)
	if err != nil {
		return nil, nil, err
	}
	u := &Users{dir: filepath.Join(home, "users"), secret: secret, byID: map[string]*account{}, checked: map[string][32]byte{}}
	_ = os.Remove(filepath.Join(u.dir, "users.xml"))
	entries, err := os.ReadDir(u.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("read users: %w", err)
	}
	var warnings []string
	for _, e := range entries {
		n, err := Load(filepath.Join(u.dir, e.Name(), "config.xml"))
		if err != nil || n == nil {
			continue
		}
		id := n.Trimmed("id")
		if id == "" {
			id = e.Name()
		}
		want := u.folder(id)
		if e.Name() != want {
			if looksMigrated(e.Name()) {
				warnings = append(warnings, fmt.Sprintf("ignoring %s for user %s, expected to be in %s", e.Name(), id, want))
				continue
			}
			if err := os.Rename(filepath.Join(u.dir, e.Name()), filepath.Join(u.dir, want)); err != nil {
				return nil, nil, fmt.Errorf("migrate user %s: %w", id, err)
			}
		}
		u.byID[strings.ToLower(id)] = &account{id: id, folder: want, tree: n, uses: map[string]int{}}
	}
	return u, warnings, nil
}

func looksMigrated(name string) bool {
	i := strings.LastIndexByte(name, '_')
	if i < 0 || len(name)-i-1 != 64 {
		return false
	}
	_, err := hex.DecodeString(name[i+1:])
	return err == nil
}

func (u *Users) folder(id string) string {
	mac := hmac.New(sha256.New, u.secret)
	mac.Write([]byte(strings.ToLower(id)))
	var prefix strings.Builder
	for _, r := range strings.ToLower(id) {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) && prefix.Len() < 14 {
			prefix.WriteRune(r)
		}
	}
	return prefix.String() + "_" + hex.EncodeToString(mac.Sum(nil))
}

// Get finds an account by its id in any case.
func (u *Users) Get(id string) (User, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID[strings.ToLower(id)]
	if a == nil {
		return User{}, false
	}
	return a.user(), true
}

func (a *account) user() User {
	full := a.tree.Get("fullName")
	if full == "" {
		full = a.id
	}
	return User{ID: a.id, FullName: full, Description: a.tree.Get("description")}
}

// List gives all accounts ordered by id.
func (u *Users) List() []User {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]User, 0, len(u.byID))
	for _, a := range u.byID {
		out = append(out, a.user())
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// Login checks a password or an API token; byToken says which it was.
func (u *Users) Login(id, secret string) (user User, byToken, ok bool) {
	u.mu.Lock()
	a := u.byID[strings.ToLower(id)]
	if a == nil {
		u.mu.Unlock()
		return User{}, false, false
	}
	user = a.user()
	if uuid := a.token(secret); uuid != "" {
		a.uses[uuid]++
		err := u.saveStats(a)
		u.mu.Unlock()
		return user, true, err == nil
	}
	hash := strings.TrimPrefix(a.tree.Trimmed("properties/"+detailsName+"/passwordHash"), hashPrefix)
	sum := sha256.Sum256([]byte(hash + "\x00" + secret))
	known, seen := u.checked[a.folder]
	u.mu.Unlock()
	if seen && known == sum {
		return user, false, true
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(secret)) != nil {
		return User{}, false, false
	}
	u.mu.Lock()
	u.checked[a.folder] = sum
	u.mu.Unlock()
	return user, false, true
}

func (a *account) token(secret string) string {
	if len(secret) != 34 {
		return ""
	}
	sum := sha256.Sum256([]byte(secret[2:]))
	want := hex.EncodeToString(sum[:])
	for _, t := range childrenOf(a.tree.Child("properties/" + tokensName + "/tokenStore/tokenList")) {
		if subtle.ConstantTimeCompare([]byte(t.Trimmed("value/hash")), []byte(want)) == 1 {
			return t.Trimmed("uuid")
		}
	}
	return ""
}

func (u *Users) saveStats(a *account) error {
	list := xmltree.Elem("tokenStats")
	for uuid, n := range a.uses {
		list.Add(xmltree.Elem("jenkins.security.apitoken.ApiTokenStats_-SingleTokenStats", xmltree.Text("tokenUuid", uuid),
			xmltree.Text("lastUseDate", stamp()), xmltree.Text("useCounter", n)))
	}
	return Save(filepath.Join(u.dir, a.folder, "apiTokenStats.xml"), xmltree.Elem("jenkins.security.apitoken.ApiTokenStats", list))
}

func stamp() string { return time.Now().UTC().Format("2006-01-02 15:04:05.000") + " UTC" }

// Put creates an account, or sets the password of an existing one. A password that begins with `#jbcrypt:` is a hash.
func (u *Users) Put(id, fullName, password string) error {
	hash := password
	if !strings.HasPrefix(password, hashPrefix) {
		raw, err := bcrypt.GenerateFromPassword([]byte(password), 10)
		if err != nil {
			return fmt.Errorf("hash the password of %s: %w", id, err)
		}
		hash = hashPrefix + string(raw)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID[strings.ToLower(id)]
	if a == nil {
		if fullName == "" {
			fullName = id
		}
		a = &account{id: id, folder: u.folder(id), uses: map[string]int{}}
		a.tree = xmltree.Elem("user", xmltree.Text("version", 10), xmltree.Text("id", id), xmltree.Text("fullName", fullName), xmltree.Elem("properties"))
		u.byID[strings.ToLower(id)] = a
	}
	if a.tree.Child("properties") == nil {
		a.tree.Add(xmltree.Elem("properties"))
	}
	a.tree.Child("properties").Set(xmltree.Elem(detailsName, xmltree.Text("passwordHash", hash)))
	return u.save(a)
}

func (u *Users) save(a *account) error {
	return Save(filepath.Join(u.dir, a.folder, "config.xml"), a.tree)
}

// Delete removes an account; false when there is none.
func (u *Users) Delete(id string) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID[strings.ToLower(id)]
	if a == nil {
		return false, nil
	}
	delete(u.byID, strings.ToLower(id))
	return true, os.RemoveAll(filepath.Join(u.dir, a.folder))
}

// NewToken makes an API token: the value is shown only this once.
func (u *Users) NewToken(id, name string) (uuid, value string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID[strings.ToLower(id)]
	if a == nil {
		return "", "", fmt.Errorf("make a token: no user %s", id)
	}
	raw, plain := RandomHex(16), RandomHex(16)
	uuid = raw[:8] + "-" + raw[8:12] + "-" + raw[12:16] + "-" + raw[16:20] + "-" + raw[20:]
	sum := sha256.Sum256([]byte(plain))
	token := xmltree.Elem(tokenName, xmltree.Text("uuid", uuid), xmltree.Text("name", name), xmltree.Text("creationDate", stamp()),
		xmltree.Elem("value", xmltree.Text("version", 11), xmltree.Text("hash", hex.EncodeToString(sum[:]))))
	properties := a.tree.Child("properties")
	if properties == nil {
		properties = xmltree.Elem("properties")
		a.tree.Add(properties)
	}
	if properties.Child(tokensName+"/tokenStore/tokenList") == nil {
		properties.Set(xmltree.Elem(tokensName, xmltree.Elem("tokenStore", xmltree.Elem("tokenList"))))
	}
	properties.Child(tokensName + "/tokenStore/tokenList").Add(token)
	return uuid, "11" + plain, u.save(a)
}

// RevokeToken removes a token of that account.
func (u *Users) RevokeToken(id, uuid string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.byID[strings.ToLower(id)]
	if a == nil {
		return nil
	}
	list := a.tree.Child("properties/" + tokensName + "/tokenStore/tokenList")
	if list == nil {
		return nil
	}
	kept := list.Children[:0]
	for _, t := range list.Children {
		if t.Trimmed("uuid") != uuid {
			kept = append(kept, t)
		}
	}
	list.Children = kept
	return u.save(a)
}
