package agent

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask requests a path of the agent, gives status, body and headers.
func (a *program) ask(method, path, body string, headers ...string) (int, string, http.Header) {
	a.t.Helper()
	request, err := http.NewRequest(method, a.url(path), strings.NewReader(body))
	require.NoError(a.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(a.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(a.t, err)
	return response.StatusCode, string(content), response.Header
}

func (a *program) call(body string) (int, string) {
	a.t.Helper()
	code, content, _ := a.ask(http.MethodPost, "/api/v1", body, "Content-Type", "application/json", "Accept", "application/json")
	return code, content
}

func TestFiles(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	master.run("sbx", "printf 'out-line\n'; mkdir sub; ln -s /etc/passwd leak; printf '\\377' > binary")
	master.await("sbx", mesos.TASK_FINISHED)
	sandbox := agent.sandboxOf("sbx")
	at := func(endpoint, path, more string) (int, string, http.Header) {
		return agent.ask(http.MethodGet, "/files/"+endpoint+"?path="+url.QueryEscape(path)+more, "")
	}
	for _, name := range []string{sandbox, filepath.Dir(sandbox) + "/latest", "/frameworks/F-0000/executors/sbx/runs/latest"} {
		code, body, _ := at("read", name+"/stdout", "&offset=0")
		assert.Equal(t, 200, code)
		assert.JSONEq(t, `{"data":"out-line\n","offset":0}`, body)
	}
	for _, c := range []struct {
		endpoint, path, more string
		code                 int
		body                 string
	}{
		{"read", sandbox + "/stdout", "", 200, `{"data":"","offset":9}`},
		{"read", sandbox + "/stdout", "&offset=-1", 200, `{"data":"","offset":9}`},
		{"read", sandbox + "/stdout", "&offset=4&length=2", 200, `{"data":"li","offset":4}`},
		{"read", sandbox + "/stdout", "&offset=x", 400, "Failed to parse offset: Failed to convert 'x' to number.\n"},
		{"read", sandbox, "&offset=0", 400, "Cannot read from a directory.\n"},
		{"read", "/etc/passwd", "&offset=0", 404, ""},
		{"read", sandbox + "/../../../../../../../../../../../etc/passwd", "&offset=0", 404, ""},
		{"read", sandbox + "/leak", "&offset=0", 404, ""},
		{"browse", "/nope", "", 404, ""},
		{"browse", "", "", 400, "Expecting 'path=value' in query.\n"},
		{"download", sandbox + "/stdout", "", 200, "out-line\n"},
	} {
		code, body, _ := at(c.endpoint, c.path, c.more)
		assert.Equal(t, c.code, code, "%s %s%s", c.endpoint, c.path, c.more)
		assert.Equal(t, c.body, body, "%s %s%s", c.endpoint, c.path, c.more)
	}
	_, _, headers := at("download", sandbox+"/stdout", "")
	assert.Equal(t, "attachment; filename=stdout", headers.Get("Content-Disposition"))
	var list []map[string]any
	_, body, _ := at("browse", sandbox, "")
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	byName := map[string]map[string]any{}
	for _, one := range list {
		byName[filepath.Base(one["path"].(string))] = one
	}
	assert.Equal(t, "-rw-r--r--", byName["stdout"]["mode"])
	assert.Equal(t, "drwxr-xr-x", byName["sub"]["mode"])
	assert.EqualValues(t, 9, byName["stdout"]["size"])
	info, err := os.Stat(sandbox + "/stdout")
	require.NoError(t, err)
	assert.EqualValues(t, info.ModTime().Unix(), byName["stdout"]["mtime"])
	_, body, _ = agent.ask(http.MethodGet, "/files/debug", "")
	assert.Contains(t, body, `"/frameworks/F-0000/executors/sbx/runs/latest":"`+sandbox+`"`)
	code, body := agent.call(`{"type":"READ_FILE","read_file":{"path":"` + sandbox + `/stdout","offset":0,"length":3}}`)
	assert.Equal(t, 200, code)
	assert.JSONEq(t, `{"type":"READ_FILE","read_file":{"size":9,"data":"b3V0"}}`, body)
	code, body = agent.call(`{"type":"LIST_FILES","list_files":{"path":"` + sandbox + `"}}`)
	assert.Equal(t, 200, code)
	assert.Contains(t, body, `"mode":33188`)
}
