package doctor

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretsAreTakenOut(t *testing.T) {
	r := NewRedactor("known-secret-value", "abc")
	const s = "hunter2hunter2"
	for _, text := range []string{
		"the log says known-secret-value in the middle",
		"http://admin:" + s + "@10.0.0.1:8080/x", "zk://user:" + s + "@zk1:2181,zk2:2181/mesos", "git clone https://" + s + "@example.org/x.git",
		"Authorization: Basic " + s, "authorization: Bearer " + s, `"Authorization": "token ` + s + `"`, "-H 'Authorization: Basic " + s + "'",
		"sent Bearer " + s, "Cookie: JSESSIONID=" + s, "Set-Cookie: x=" + s + "; HttpOnly",
		"DB_PASSWORD=" + s, "export GITHUB_TOKEN='" + s + "'", "A=1 MY_SECRET_KEY=" + s + " B=2", "url?token=" + s + "&x=1",
		`{"GITHUB_TOKEN":"` + s + `"}`, `{"dbPassword" : "` + s + `\"` + s + `"}`, `"{\"apiToken\":\"` + s + `\"}"`,
		`{"name":"X_TOKEN","value":"` + s + `"}`, `{"name":"X_TOKEN","type":"VALUE","value":"` + s + `"}`, `{"value":"` + s + `","name":"X_SECRET"}`,
		"<password>" + s + "</password>", `<apiToken plugin="x">` + s + "</apiToken>", "<passwordHash>#jbcrypt:" + s + "</passwordHash>",
		"  password: " + s, "- token: \"" + s + "\"", "--mesos_authentication_secret " + s, "--http-password=" + s, "-Dx.password=" + s,
		"#jbcrypt:$2a$10$" + s + s + "abcdefghijk", "root:$6$salt$" + s + s,
		"-----BEGIN OPENSSH PRIVATE KEY-----\n" + s + "\n-----END OPENSSH PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\n" + s,
		s + "\n-----END RSA PRIVATE KEY-----\nmore", `{"password":"` + s, `{"password":"` + s + `\`, `{"name":"X_TOKEN","value":"` + s,
		"admin: {user: admin, password: " + s + "}", "- {id: x, secret: '" + s + "'}", "2026-11-21 WARN the token: " + s + " is refused", "(apiToken : \"" + s + "\")",
		"Jenkins-Crumb: x\nX-crumb=" + s, `{"crumb":"` + s + `"}`,
	} {
		out := r.Text(text)
		assert.NotContains(t, out, s, text)
		assert.NotContains(t, out, "known-secret-value")
		assert.Contains(t, out, hidden, text)
	}
}

func TestWhatIsNoSecretStays(t *testing.T) {
	r := NewRedactor("", "abc")
	for _, text := range []string{
		"abc is too short to be looked for", "http://10.0.0.1:8080/login", "zk://10.0.0.1:2181/mesos", "password: file:.jomctl/secrets/admin",
		"  password: env:ADMIN", "admin: {user: admin, password: file:.jomctl/secrets/admin}", "{basicAuth: {password: env:MARATHON}}", "WARN the token: none", "  useSecret: true",
		"TASK_FAILED Command exited with status 1", `{"id":"/ci/jenkins","cpus":0.5}`, "user@example.org wrote",
		"slave(1)@127.0.0.1:5051", "PATH=/usr/bin:/bin", "2026-11-21T15:00:00Z master@127.0.0.1:5050 leads",
	} {
		assert.Equal(t, text, r.Text(text))
	}
	long := strings.Repeat("x", 100000)
	assert.Equal(t, long, r.Text(long))
}

// A secret that is known by its value is found however a program has written it.
func TestAKnownSecretIsFoundInEveryWriting(t *testing.T) {
	const s = "pä\"ss\\<w&rd> /+\n2"
	r := NewRedactor(s, "pä", "other"+s)
	nested, err := json.Marshal(map[string]string{"x": s})
	require.NoError(t, err)
	twice, err := json.Marshal(map[string]string{"y": string(nested)})
	require.NoError(t, err)
	for _, text := range []string{
		s, "before " + s + "after", string(nested), string(twice), `{"x":"pä\"ss\\<w&rd> /+\n2"}`, "https://x/?q=" + url.QueryEscape(s) + "&z", "https://x/" + url.PathEscape(s) + "/z",
		"<a>" + html.EscapeString(s) + "</a>", base64.StdEncoding.EncodeToString([]byte(s)), "other" + s,
	} {
		out := r.Text(text)
		assert.Contains(t, out, hidden, text)
		for _, part := range []string{"ss", "w&", "rd", "other", "c3M"} {
			assert.NotContains(t, out, part, text)
		}
	}
}
