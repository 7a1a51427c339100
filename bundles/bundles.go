// Package bundles holds the releases: a pinned Jenkins core, its plugins locked by checksum, the Java versions and the plugin line that go
// with it, and the template of the controller's Marathon app.
package bundles

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/bundles/resolve"
)

//go:embed default previous legacy
var shipped embed.FS

// Core is the pinned jenkins.war. SHA256 is 64 hex digits, as published by the Jenkins project; empty only in an incomplete release.
type Core struct {
	Version string `yaml:"version"`
	URL     string `yaml:"url"`
	SHA256  string `yaml:"sha256"`
}

// Release is one folder of releases.
type Release struct {
	Name string `yaml:"name"`
	// Title says in a line what it is for.
	Title string `yaml:"title"`
	Core  Core   `yaml:"core"`
	// Java lists the major versions that the core runs on.
	Java []int `yaml:"java"`
	// Line is the line of the Mesos plugin: http or libmesos.
	Line string `yaml:"line"`
	// Template is the file name of the app document's template in the folder.
	Template string `yaml:"template"`
	// Dangers are what somebody must know before using it.
	Dangers []string `yaml:"dangers"`
	// Incomplete says what is not known about it, which the user has to add before it can be installed.
	Incomplete []string `yaml:"incomplete"`
	// Tolerates are links of plugins to what the core no longer has, of which it is known that they do no harm.
	Tolerates []Tolerated `yaml:"tolerates"`

	// Wishes are plugins.txt, Lock is plugins.lock. Lock is nil where the release has none.
	Wishes []resolve.Wish `yaml:"-"`
	Lock   *resolve.Lock  `yaml:"-"`
	// Advisories are what was known when the plugins were locked; the zero value where the release keeps none.
	Advisories resolve.Advisories `yaml:"-"`
	// Casc are the files of configuration as code that it brings, in the order of their names.
	Casc []CascFile `yaml:"-"`

	files fs.FS
}

// Tolerated is a broken link. Link is a class, or a class and a member: hudson.logging.LogRecorder.targets.
type Tolerated struct {
	Plugin string `yaml:"plugin"`
	Link   string `yaml:"link"`
	Why    string `yaml:"why"`
}

// App is what the template of the app document is filled with. Sizes are MiB, the grace seconds.
type App struct {
	ID            string
	Command       string
	HealthCommand string
	CPUs          float64
	MemMiB        int
	HTTPPort      int
	AgentPort     int
	GraceSeconds  int
	Constraints   [][]string
	Labels        map[string]string
	Env           map[string]string
	// Image is the container image, empty for a plain process. Volumes are what the container sees of its host.
	Image   string
	Volumes []Volume
}

// Volume is a path of the host that a container has under the same path. Mode is RO or RW.
type Volume struct{ Path, Mode string }

// Names lists the shipped releases in order.
func Names() []string {
	entries, err := shipped.ReadDir(".")
	if err != nil {
		return nil // an embedded root can always be read
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	sort.Strings(names)
	return names
}

// Load reads a shipped release by its name, or one of the user's own by the path of its folder (anything with a slash).
func Load(release string) (*Release, error) {
	files, err := open(release)
	if err != nil {
		return nil, err
	}
	data, err := fs.ReadFile(files, "bundle.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading release %q: %w", release, err)
	}
	loaded := &Release{files: files}
	if err := yaml.UnmarshalWithOptions(data, loaded, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading release %q: bundle.yaml: %w", release, err)
	}
	if err := loaded.validate(); err != nil {
		return nil, fmt.Errorf("release %q: bundle.yaml: %w", release, err)
	}
	if err := errors.Join(loaded.readPlugins(), loaded.readCasc()); err != nil {
		return nil, fmt.Errorf("release %q: %w", release, err)
	}
	return loaded, nil
}

func open(release string) (fs.FS, error) {
	if strings.ContainsRune(release, '/') {
		if info, err := os.Stat(release); err != nil {
			return nil, fmt.Errorf("opening release %q: %w", release, err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("opening release %q: not a folder", release)
		}
		return os.DirFS(filepath.Clean(release)), nil
	}
	for _, name := range Names() {
		if name == release {
			return fs.Sub(shipped, name)
		}
	}
	return nil, fmt.Errorf("release %q is not shipped (shipped: %s); a folder of your own is named by a path with a slash, such as ./%s",
		release, strings.Join(Names(), ", "), release)
}

func (r *Release) validate() error {
	var problems []error
	if r.Name == "" {
		problems = append(problems, errors.New("name: missing"))
	}
	if r.Core.Version == "" {
		problems = append(problems, errors.New("core.version: missing"))
	}
	if !resolve.IsDigest(r.Core.SHA256) && (r.Core.SHA256 != "" || len(r.Incomplete) == 0) {
		problems = append(problems, fmt.Errorf("core.sha256: %q: want 64 hex digits", r.Core.SHA256))
	}
	if len(r.Java) == 0 {
		problems = append(problems, errors.New("java: missing, want the major versions the core runs on"))
	}
	if r.Line != "http" && r.Line != "libmesos" {
		problems = append(problems, fmt.Errorf("line: %q: want http or libmesos", r.Line))
	}
	if r.Template == "" {
		problems = append(problems, errors.New("template: missing"))
	}
	return errors.Join(problems...)
}

// Document fills the release's template and returns the app document as JSON, keys sorted.
func (r *Release) Document(app App) ([]byte, error) {
	text, err := fs.ReadFile(r.files, r.Template)
	if err != nil {
		return nil, fmt.Errorf("reading the app template of release %q: %w", r.Name, err)
	}
	tmpl, err := template.New(r.Template).Funcs(template.FuncMap{"json": toJSON}).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("parsing the app template of release %q: %w", r.Name, err)
	}
	if app.Constraints == nil {
		app.Constraints = [][]string{}
	}
	if app.Env == nil {
		app.Env = map[string]string{}
	}
	var filled bytes.Buffer
	if err := tmpl.Execute(&filled, app); err != nil {
		return nil, fmt.Errorf("filling the app template of release %q: %w", r.Name, err)
	}
	var document map[string]any
	if err := json.Unmarshal(filled.Bytes(), &document); err != nil {
		return nil, fmt.Errorf("the app template of release %q does not give JSON: %w", r.Name, err)
	}
	return json.MarshalIndent(document, "", "  ")
}

func toJSON(value any) (string, error) {
	data, err := json.Marshal(value)
	return string(data), err
}
