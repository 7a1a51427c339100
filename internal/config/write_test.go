package config

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWrittenFilesAreReadBack(t *testing.T) {
	for name, text := range map[string]string{"three lines": threeLines, "hosts": hostsFile,
		"docker":    "apiVersion: jomctl/v1\nname: ci\ntarget: docker\n",
		"own hosts": threeLines + "hosts:\n  - {name: x, address: 127.0.99.1, roles: [control]}\n  - {name: y, address: 127.0.99.2, roles: [mesos-agent]}\n",
		"strange texts": threeLines + `release: "a: #b"` + "\njenkins: {java: \"yes\", plugins: '{x, [y]}', war: \"1.5\", admin: {user: \"12\", password: \"file:a 'b' \\\"c\\\" #d\"}}\n" +
			"hosts:\n  - {name: \"1\", address: 127.0.99.1, roles: [control]}\n  - {name: on, address: 127.0.99.2, roles: [mesos-agent], attributes: {\"a b\": \"ü, }\"}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cluster.yaml")
			c, err := Parse([]byte(text), path)
			if name == "strange texts" {
				require.ErrorContains(t, err, "attributes")
				c, err = Parse([]byte(strings.Replace(text, `"a b"`, "true", 1)), path)
			}
			require.NoError(t, err)
			require.NoError(t, Write(path, c, false))
			back, err := Load(path)
			require.NoError(t, err)
			require.Equal(t, c, back)

			shown, err := Parse(Show(c), path)
			require.NoError(t, err)
			require.Equal(t, c, shown)
		})
	}
}

func TestOnlyWhatDiffersIsWritten(t *testing.T) {
	live := func(text string) []string {
		out, err := Marshal(parse(t, text))
		require.NoError(t, err)
		var lines []string
		for _, line := range strings.Split(string(out), "\n") {
			if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' {
				lines = append(lines, line)
			}
		}
		return lines
	}
	three := []string{"apiVersion: jomctl/v1", "name: ci", "target: local"}
	require.Equal(t, three, live(threeLines))
	require.Equal(t, append(three, "jenkins:", "  app:", "    mem: 3GiB"), live(threeLines+"jenkins: {app: {mem: 3GiB, cpus: 1}}\n"), "the agents' memory follows from it")
	require.Equal(t, append(three, "local:", "  agents: 3"), live(threeLines+"local: {agents: 3}\n"), "the hosts follow from it")
}

// TestHintsAreTheDefaults takes the # away from every line that is commented out: what is there must be valid and, but for the
// examples, the same cluster.
func TestHintsAreTheDefaults(t *testing.T) {
	c := parse(t, threeLines+"jenkins: {app: {grace: 7m}}\n")
	out, err := Marshal(c)
	require.NoError(t, err)
	all := regexp.MustCompile(`(?m)^( *)#([^ #]| +[^ ])`).ReplaceAllStringFunc(string(out), func(s string) string {
		if strings.HasPrefix(strings.TrimSpace(s), "# ") && !strings.HasPrefix(strings.TrimLeft(s, " "), "#  ") {
			return s // a sentence
		}
		return strings.Replace(s, "#", "", 1)
	})
	got := parse(t, all)
	require.Equal(t, "git@git.example:ci/jenkins-home.git", got.Jenkins.SCM.Repository)
	require.NotNil(t, got.Backup)
	require.NotNil(t, got.Maintenance)
	require.NotNil(t, got.Drill)
	require.Equal(t, DefaultTuning().AgentPing, got.Tuning.AgentPing)
	got.Jenkins.SCM, got.Backup, got.Maintenance, got.Drill, got.Tuning, got.Watch = nil, nil, nil, nil, nil, nil
	require.Equal(t, c, got)
}

func TestWriteNeverReplacesSilently(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cluster.yaml")
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	c := parse(t, threeLines)
	require.ErrorIs(t, Write(path, c, false), fs.ErrExist)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "mine", string(kept))

	require.NoError(t, Write(path, c, true))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file stays")

	require.ErrorIs(t, createNew(path, []byte("x")), fs.ErrExist, "also where a file system has no links")
	require.NoError(t, createNew(path+"2", []byte("x")))
	require.NoError(t, os.Remove(path+"2"))

	c.Name = "NOT VALID"
	require.ErrorContains(t, Write(path, c, true), "must be a DNS label")
	_, err = Load(path)
	require.NoError(t, err, "what was there is still there")
	require.ErrorIs(t, Write(filepath.Join(dir, "none", "cluster.yaml"), parse(t, threeLines), false), fs.ErrNotExist)
}

func TestCloneSharesNothing(t *testing.T) {
	c := parse(t, hostsFile)
	copied := c.Clone()
	require.Equal(t, c, copied)
	copied.Hosts[1].Attributes["rack"] = "x"
	copied.Hosts[0].Roles[0] = "x"
	copied.Jenkins.SCM.Branch = "x"
	copied.Jenkins.App.Constraints[0][0] = "x"
	require.Equal(t, parse(t, hostsFile), c)
}

func TestRandomClustersAreReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		c := random(r)
		Default(c)
		if err := Validate(c); err != nil {
			continue // a random pair of sizes may not fit; most do
		}
		text, err := Marshal(c)
		require.NoError(t, err)
		back, err := Parse(text, "")
		require.NoError(t, err, string(text))
		require.Equal(t, c, back, string(text))
	}
}

func random(r *rand.Rand) *Cluster {
	maybe := func(f func()) {
		if r.IntN(2) == 0 {
			f()
		}
	}
	texts := []string{"x", "a b", "yes", "1.10", "0x10", "~", "a: b", "#", "'", "\"", "-", "ü", "{", "a,b", "null", "[", "%x", "@x", "|", "12:30"}
	text := func() string { return texts[r.IntN(len(texts))] }
	c := &Cluster{APIVersion: APIVersion, Name: fmt.Sprintf("c%d", r.IntN(99)), Target: []Target{TargetLocal, TargetHosts, TargetAWS}[r.IntN(3)]}
	if c.Target == TargetLocal {
		maybe(func() { c.Local = &Local{Agents: 1 + r.IntN(9), Control: 1 + 2*r.IntN(3)} })
		maybe(func() { c.Components.Mesos.Source = Source{Path: "/" + text()} })
	} else {
		c.Hosts = append(c.Hosts, Host{Name: "m1", Address: "m1.example", Roles: []Role{RoleControl}})
		for i := range 1 + r.IntN(3) {
			c.Hosts = append(c.Hosts, Host{Name: fmt.Sprintf("a%d", i), Address: fmt.Sprintf("10.0.0.%d", i+1), Roles: []Role{RoleMesosAgent}, Attributes: map[string]string{"r" + fmt.Sprint(i): "v" + text()}})
		}
		maybe(func() { c.SSH = &SSH{Port: 1 + r.IntN(4000), IdentityFile: text()} })
	}
	maybe(func() { c.Release = text() })
	maybe(func() { c.Jenkins.War = text() })
	maybe(func() { c.Jenkins.App.Mem = Size(1+r.IntN(9)) * 300 * MiB })
	maybe(func() { c.Jenkins.App.CPUs = float64(1+r.IntN(30)) / 10 })
	maybe(func() { c.Jenkins.App.Constraints = [][]string{{"rack", "CLUSTER", text()}} })
	maybe(func() { c.Jenkins.Home = Home{Type: HomeShared, Path: "/srv/" + text()} })
	maybe(func() { c.Jenkins.SCM = &SCM{Repository: "/srv/x.git", MaxDelay: Duration(time.Hour)} })
	maybe(func() {
		c.Drill = &Drill{Stage: StageProduction, Targets: []DrillTarget{{Scenario: "edge-killed", Recovery: seconds(1 + r.IntN(90)), Builds: r.IntN(3)}}, Power: &Power{Off: text(), On: "x"}}
	})
	maybe(func() { c.Tuning = &Tuning{AgentPings: 1 + r.IntN(9), Backoff: seconds(1 + r.IntN(60))} })
	maybe(func() {
		c.Jenkins.Cloud.Templates = []Template{{Label: "a", Mem: Size(1+r.IntN(900)) * MiB}, {Label: "b", Docker: DockerDind, Idle: Duration(r.IntN(1000)+1) * Duration(time.Second)}}
	})
	maybe(func() { c.Backup = &Backup{Repository: text(), Keep: Keep{Weekly: r.IntN(3)}} })
	maybe(func() {
		c.Maintenance = &Maintenance{Windows: []Window{{Name: text(), Days: []string{"sat"}, Start: "22:00", Length: Duration(4 * time.Hour), Zone: "Asia/Shanghai"}}}
	})
	return c
}
