package images

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDockerInBuildsLiesOnTheBuildAgentsImage(t *testing.T) {
	e := newEngine()
	for access, want := range map[Access][]string{
		AccessNone: {"jomctl/runtime", "jomctl/agent"}, AccessSocket: {"jomctl/runtime", "jomctl/agent", "jomctl/agent-socket"}, AccessDind: {"jomctl/runtime", "jomctl/agent", "jomctl/agent-dind"},
	} {
		built, err := Build(context.Background(), e, runtime.Base, Agent(runtime, "", access), func(string) {})
		require.NoError(t, err)
		var names []string
		for _, b := range built {
			name, _, _ := strings.Cut(b.Ref, ":")
			names = append(names, name)
		}
		assert.Equal(t, want, names)
		if access == AccessDind {
			files := e.files[built[2].Ref]
			assert.Contains(t, files["dind"], `exec /bin/sh -c "$1"`)
			assert.Contains(t, files["Dockerfile"], "VOLUME /var/lib/docker")
			assert.Equal(t, "openjdk-21-jre-headless, docker: dind", e.images[built[2].Ref]["CONTENT"])
		}
	}
	assert.Len(t, e.images, 4, "they share what they can")
	chain := Agent(runtime, release(t).Jomhome, AccessSocket)
	assert.Equal(t, "rehearsal-agent-socket", chain[2].Name)
	_, err := chain[2].context()
	require.NoError(t, err)
	assert.Len(t, Contexts(), 20)
}

func TestThePluginsOfAnImageAreLockedInIt(t *testing.T) {
	e, r := newEngine(), release(t)
	r.Plugins[0].Version = "5.7.0"
	make1(t, e, runtime, r)
	core := e.files["jomctl/core:"+tagOf(e, "jomctl/core", 0)]
	assert.JSONEq(t, `[{"name": "git", "version": "5.7.0", "sha256": "`+pluginSum+`"}]`, core["plugins.json"])
	assert.Contains(t, core["controller.json"], `"pluginLockFile": "/opt/jomctl/plugins.json"`)
	require.Equal(t, "1000", e.images["jomctl/controller:"+tagOf(e, "jomctl/controller", 0)]["USER_ID"])
}
