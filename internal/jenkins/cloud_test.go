package jenkins

import (
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "go test -update writes it anew")
}

func sample() Cloud {
	return Cloud{
		Master: "http://127.0.10.10:5050", FrameworkName: "jenkins-ci", FrameworkID: FrameworkID("ci", 3), User: "root",
		URL: "http://127.0.10.10:8080/ci", AgentPort: 50000,
		Templates: []config.Template{
			{Label: "mesos", CPUs: 0.2, Mem: 512 * config.MiB, Idle: config.Duration(90 * time.Second)},
			{Label: "docker", CPUs: 1, Mem: 2 * config.GiB, Image: "m1:5000/jenkins-agent@sha256:0", Docker: config.DockerSocket},
			{Label: "dind", CPUs: 0.5, Mem: 768 * config.MiB, Idle: config.Duration(3 * time.Minute), Image: "m1:5000/jenkins-dind:1", Docker: config.DockerDind},
		},
	}
}

func TestCascGolden(t *testing.T) {
	text, err := Casc(sample())
	require.NoError(t, err)
	golden(t, "jenkins.yaml", text)
	var tree struct {
		Jenkins struct {
			NumExecutors *int `yaml:"numExecutors"`
			Clouds       []struct {
				Mesos struct {
					JenkinsURL string           `yaml:"jenkinsURL"`
					Templates  []map[string]any `yaml:"mesosAgentSpecTemplates"`
				} `yaml:"mesos"`
			} `yaml:"clouds"`
		} `yaml:"jenkins"`
	}
	require.NoError(t, yaml.Unmarshal(text, &tree))
	assert.Zero(t, *tree.Jenkins.NumExecutors)
	mesos := tree.Jenkins.Clouds[0].Mesos
	assert.Equal(t, "http://127.0.10.10:8080/ci/", mesos.JenkinsURL, "without the slash the plugin drops the path")
	require.Len(t, mesos.Templates, 3)
	for _, template := range mesos.Templates {
		// Each default of the plugin launches without end, removes starting agents or leaves orphans.
		assert.EqualValues(t, 1, template["minExecutors"])
		assert.EqualValues(t, 1, template["maxExecutors"])
		assert.GreaterOrEqual(t, template["idleTerminationMinutes"], uint64(1))
		assert.Equal(t, "-noReconnect", template["jnlpArgs"])
		assert.Equal(t, "any", template["domainFilterModel"])
		assert.IsType(t, "", template["mem"])
	}
	assert.EqualValues(t, 2, mesos.Templates[0]["idleTerminationMinutes"], "rounded up")
	assert.NotContains(t, string(text), "securityRealm", "security never depends on JCasC")
}

func TestCloudXMLGolden(t *testing.T) {
	text, err := CloudXML(sample())
	require.NoError(t, err)
	golden(t, "clouds.xml", text)
	wellFormed(t, string(text))
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(strings.Replace(text, "version='1.1'", "version='1.0'", 1)))
	for {
		_, err := decoder.Token()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
	}
}

// Every element of the recorded cloud (one template of which has all defaults written out by the plugin) is in ours.
func TestCloudXMLHasTheRecordedElements(t *testing.T) {
	text, err := CloudXML(sample())
	require.NoError(t, err)
	recorded, err := os.ReadFile("testdata/recorded-clouds.xml")
	require.NoError(t, err)
	ours := elements(t, string(text))
	for name := range elements(t, string(recorded)) {
		switch name {
		case "org.jenkinsci.plugins.mesos.MesosSlaveInfo_-URI", "value", "executable", "extract", "region", "zone":
			continue // features that a template of ours does not have
		}
		assert.Contains(t, ours, name)
	}
}

func elements(t *testing.T, text string) map[string]bool {
	names := map[string]bool{}
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return names
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok {
			names[start.Name.Local] = true
		}
	}
}

func TestCloudCheck(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Cloud)
		text  string
	}{
		"no id":          {func(c *Cloud) { c.FrameworkID = "" }, "no framework id"},
		"no master":      {func(c *Cloud) { c.Master = "" }, "no Mesos master"},
		"no url":         {func(c *Cloud) { c.URL = "ci.example" }, "is no URL"},
		"random port":    {func(c *Cloud) { c.AgentPort = 0 }, "agent port 0 is not fixed"},
		"no templates":   {func(c *Cloud) { c.Templates = nil }, "no template"},
		"dot in a label": {func(c *Cloud) { c.Templates[0].Label = "a.b" }, `label "a.b"`},
		"label twice":    {func(c *Cloud) { c.Templates[1].Label = "mesos" }, "label mesos is there twice"},
		"no memory":      {func(c *Cloud) { c.Templates[0].Mem = 0 }, "template mesos needs cpus and memory"},
	} {
		cloud := sample()
		c.spoil(&cloud)
		assert.ErrorContains(t, cloud.Check(), c.text, name)
		_, err := Casc(cloud)
		assert.Error(t, err, name)
		_, err = CloudXML(cloud)
		assert.Error(t, err, name)
	}
	assert.Equal(t, "jenkins-ci-e3", sample().FrameworkID)
	assert.Equal(t, 2*time.Minute, IdleTime(sample().Templates[0]))
	assert.Equal(t, time.Minute, IdleTime(config.Template{}))
}

func TestCloudQuotesWhatAUserWrites(t *testing.T) {
	cloud := sample()
	cloud.FrameworkName, cloud.Role = `a: "b" <c>`, "ci"
	text, err := Casc(cloud)
	require.NoError(t, err)
	var tree map[string]any
	require.NoError(t, yaml.Unmarshal(text, &tree))
	assert.Contains(t, string(text), `role: "ci"`)
	xmlText, err := CloudXML(cloud)
	require.NoError(t, err)
	wellFormed(t, string(xmlText))
}
