package agent

import (
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseResources(t *testing.T) {
	const text = "cpus:4;mem(jenkins):6000;disk:20000;ports:[8080-8080,31000-31099]"
	const asList = `[{"name":"cpus","type":"SCALAR","scalar":{"value":4}},{"name":"mem","type":"SCALAR","scalar":{"value":6000},"role":"jenkins"},
	 {"name":"disk","type":"SCALAR","scalar":{"value":20000}},{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":8080,"end":8080},{"begin":31000,"end":31099}]}}]`
	for _, form := range []string{text, asList} {
		list, err := parseResources(form, "*", t.TempDir())
		require.NoError(t, err)
		require.Len(t, list, 4)
		assert.Equal(t, "jenkins", role(list[1]))
		assert.Equal(t, "*", role(list[0]))
		got := resourceMap(list)
		assert.Equal(t, map[string]any{"cpus": double(4), "mem": double(6000), "disk": double(20000), "gpus": double(0), "ports": "[8080-8080, 31000-31099]"}, got)
	}
}

func TestResourcesNotGivenComeFromTheMachine(t *testing.T) {
	list, err := parseResources("cpus:0.5", "*", t.TempDir())
	require.NoError(t, err)
	got := resourceMap(list)
	assert.Equal(t, double(0.5), got["cpus"])
	assert.Greater(t, got["mem"].(double), double(100))
	assert.Greater(t, got["disk"].(double), double(100))
	assert.Equal(t, "[31000-32000]", got["ports"])
}

func TestBadResources(t *testing.T) {
	for _, text := range []string{"cpus=1", "cpus:a:b", "cpus:word", "ports:[5-1]", "ports:[x]", "mem(role:5", `[{"name":"cpus"}]`, `[{]`, "file:///no/such/file"} {
		_, err := parseResources(text, "*", t.TempDir())
		assert.Error(t, err, text)
	}
}

func TestParseAttributes(t *testing.T) {
	list, err := parseAttributes("rack:a;cores:8;range:[1-5]")
	require.NoError(t, err)
	assert.Equal(t, []mesos.Value_Type{mesos.TEXT, mesos.SCALAR, mesos.RANGES}, []mesos.Value_Type{list[0].Type, list[1].Type, list[2].Type})
	assert.Equal(t, "[1-5]", attributeValue(list[2]))
}

func TestDoublesHaveAPoint(t *testing.T) {
	for number, wanted := range map[double]string{0: "0.0", 1024: "1024.0", 0.1: "0.1", 1795227277.871886: "1795227277.871886"} {
		text, err := number.MarshalJSON()
		require.NoError(t, err)
		assert.Equal(t, wanted, string(text))
	}
}
