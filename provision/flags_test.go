package provision

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

// realFlags are the flags that the real programs have, by program.
func realFlags(t *testing.T) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile("testdata/flags.txt")
	require.NoError(t, err)
	all := map[string]map[string]bool{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if words[0] == "#" {
			continue
		}
		all[words[0]] = map[string]bool{}
		for _, flag := range words[1:] {
			name, boolean := strings.CutPrefix(flag, "[no-]")
			all[words[0]][name] = true
			if boolean {
				all[words[0]]["no-"+name] = true
			}
		}
	}
	return all
}

// An unknown flag ends each of the real programs at once, and so does one that is given twice.
func TestTheRealProgramsKnowEveryFlag(t *testing.T) {
	c := newConfig(t, authenticate, func(c *config.Cluster) { c.Local.Control = 3 })
	writeSecrets(t, c)
	c.Hosts[3].Attributes = map[string]string{"rack": "r1"}
	p := standins()
	p.Mesos = MesosPrograms{Master: "/opt/m/mesos-master", Agent: "/opt/m/mesos-agent", LauncherDir: "/opt/m", Library: "/opt/m/libmesos.so", LibraryPath: "/opt/m", WebUI: "/opt/m/webui"}
	p.Marathon = MarathonProgram{Start: "/opt/marathon/bin/marathon", Java: Java{Home: "/opt/java"}, Library: "/opt/m/libmesos.so"}
	f := newFleet(t, c, p)
	known := realFlags(t)
	for _, role := range []string{RoleMesosMaster, RoleMesosAgent, RoleMarathon} {
		require.NotEmpty(t, known[role])
		for _, s := range f.Services(role) {
			seen := map[string]bool{}
			for _, word := range s.Unit.Argv[1:] {
				flag, isFlag := strings.CutPrefix(word, "--")
				if !isFlag {
					continue
				}
				name, _, _ := strings.Cut(flag, "=")
				assert.True(t, known[role][name], "%s has no flag --%s", role, name)
				assert.False(t, seen[strings.TrimPrefix(name, "no-")], "%s is given --%s twice", role, name)
				seen[strings.TrimPrefix(name, "no-")] = true
			}
			assert.Greater(t, len(seen), 5)
		}
	}
}
