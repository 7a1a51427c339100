package source

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	rpmversion "github.com/knqyf263/go-rpm-version"
)

// YumRepository is a repository of RPM packages.
type YumRepository struct {
	// URL is the folder that has repodata.
	URL     string   `json:"url"`
	Mirrors []string `json:"mirrors,omitempty"`
	Key     KeyRef   `json:"key"`
}

// bases are the addresses under which the repository is found, the first of them its own.
func (r *YumRepository) bases() []string { return append([]string{r.URL}, r.Mirrors...) }

// newYumRepository is a repository for hosts with these facts. $releasever and $basearch in its address are theirs.
func newYumRepository(address string, mirrors []string, key KeyRef, f Facts) *YumRepository {
	r := &YumRepository{URL: address, Mirrors: slices.Clone(mirrors), Key: key}
	replace := strings.NewReplacer("$releasever", f.Suite, "${releasever}", f.Suite, "$basearch", rpmArch(f.Arch), "${basearch}", rpmArch(f.Arch))
	r.URL = strings.TrimSuffix(replace.Replace(r.URL), "/")
	for i, mirror := range r.Mirrors {
		r.Mirrors[i] = strings.TrimSuffix(replace.Replace(mirror), "/")
	}
	return r
}

// rpmArch is what RPM calls an architecture that Debian calls so.
func rpmArch(arch string) string {
	switch arch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return arch
}

// repomd is repodata/repomd.xml: the index of the indexes.
type repomd struct {
	Data []struct {
		Type     string      `xml:"type,attr"`
		Checksum rpmChecksum `xml:"checksum"`
		Location rpmLocation `xml:"location"`
		Size     int64       `xml:"size"`
	} `xml:"data"`
}

type rpmChecksum struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

// sha256 is the checksum, or an error where it is another or none.
func (c rpmChecksum) sha256(what string) (string, error) {
	value := strings.ToLower(strings.TrimSpace(c.Value))
	if c.Type != "sha256" || len(value) != 64 {
		return "", fmt.Errorf("%s has a %q checksum, and jomctl verifies by sha256 alone", what, c.Type)
	}
	return value, nil
}

type rpmLocation struct {
	Href string `xml:"href,attr"`
}

// place is the path below the repository; one that leads elsewhere is an error.
func (l rpmLocation) place() (string, error) {
	if l.Href == "" || strings.HasPrefix(l.Href, "/") || strings.Contains(l.Href, "://") || slices.Contains(strings.Split(l.Href, "/"), "..") {
		return "", fmt.Errorf("the index names %q, which is not below the repository", l.Href)
	}
	return l.Href, nil
}

// primary is the index of packages, by the path below the repository.
func (m repomd) primary() (indexFile, error) {
	for _, data := range m.Data {
		if data.Type != "primary" {
			continue
		}
		sum, err := data.Checksum.sha256("the index of packages")
		if err != nil {
			return indexFile{}, err
		}
		path, err := data.Location.place()
		return indexFile{path: path, sha256: sum, size: data.Size}, err
	}
	return indexFile{}, errors.New("repodata/repomd.xml names no index of packages (primary)")
}

func parseRepomd(text []byte) (repomd, error) {
	var m repomd
	if err := xml.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read repodata/repomd.xml: %w", err)
	}
	return m, nil
}

// rpmPackage is one package of the index.
type rpmPackage struct {
	Type    string `xml:"type,attr"`
	Name    string `xml:"name"`
	Arch    string `xml:"arch"`
	Version struct {
		Epoch   string `xml:"epoch,attr"`
		Version string `xml:"ver,attr"`
		Release string `xml:"rel,attr"`
	} `xml:"version"`
	Checksum rpmChecksum `xml:"checksum"`
	Location rpmLocation `xml:"location"`
	Size     struct {
		Package int64 `xml:"package,attr"`
	} `xml:"size"`
}

// version is EPOCH:VERSION-RELEASE, without an epoch of 0.
func (p rpmPackage) version() string {
	return rpmVersion(p.Version.Epoch, p.Version.Version, p.Version.Release)
}

func rpmVersion(epoch, version, release string) string {
	if epoch == "" || epoch == "0" || epoch == "(none)" {
		return version + "-" + release
	}
	return epoch + ":" + version + "-" + release
}

// findRPM gives the wanted version of a package, or the newest, for an architecture of RPM; versions are all that are there.
func findRPM(index io.Reader, name, version, arch string) (best rpmPackage, versions []string, err error) {
	decoder := xml.NewDecoder(index)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return best, versions, nil
		}
		if err != nil {
			return best, versions, fmt.Errorf("read the index of packages: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "package" {
			continue
		}
		var p rpmPackage
		if err := decoder.DecodeElement(&p, &start); err != nil {
			return best, versions, fmt.Errorf("read the index of packages: %w", err)
		}
		if p.Type != "rpm" || p.Name != name || p.Arch != arch && p.Arch != "noarch" {
			continue
		}
		versions = append(versions, p.version())
		if version != "" && p.version() != version {
			continue
		}
		if best.Name == "" || newerRPM(p.version(), best.version()) {
			best = p
		}
	}
}

func newerRPM(version, than string) bool {
	a, b := rpmversion.NewVersion(version), rpmversion.NewVersion(than)
	return a.GreaterThan(b)
}
