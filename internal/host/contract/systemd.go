package contract

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
)

// drift breaks a service in each of the ways in which people and packages do.
func (r *rig) drift(t *testing.T, units *host.Systemd) {
	u := r.unit(t, "drift", "exec sleep 1000")
	r.apply(t, u)
	cases := []struct {
		name, script, says string
		restarts           bool
	}{
		{"unit changed", `sed -i s/sleep/slEEp/ "/etc/systemd/system/$1.service"`, ".service was changed", true},
		{"unit changed and read", `sed -i s/1000/2000/ "/etc/systemd/system/$1.service"; systemctl daemon-reload; systemctl restart "$1"`, ".service was changed", true},
		{"environment changed", `echo X=y >> "/etc/jomctl/$2.env"`, ".env was changed", true},
		{"environment gone", `rm "/etc/jomctl/$2.env"`, ".env is gone", true},
		{"environment readable", `chmod 644 "/etc/jomctl/$2.env"`, ".env has mode 644", false},
		{"drop-in", `mkdir "/etc/systemd/system/$1.service.d"; printf '[Service]\nNice=5\n' > "/etc/systemd/system/$1.service.d/x.conf"; systemctl daemon-reload`, "x.conf changes the unit", true},
		{"disabled", `systemctl disable "$1"`, "not started with the host", false},
		{"masked", `rm "/etc/systemd/system/$1.service"; systemctl mask "$1"`, "is masked", true},
		{"unit gone", `rm "/etc/systemd/system/$1.service"`, ".service is gone", true},
		{"unit touched", `touch -d '2030-01-01' "/etc/systemd/system/$1.service"`, "daemon-reload", false},
	}
	for _, c := range cases {
		before := r.status(t, u)
		require.Empty(t, before.Drift, c.name)
		_, err := r.machine.Run(t.Context(), "/bin/sh", "-c", c.script, "sh", "jomctl-"+u.Name, u.Name)
		require.NoError(t, err, c.name)
		broken := r.status(t, u)
		assert.Contains(t, strings.Join(broken.Drift, "; "), c.says, c.name)
		assert.Equal(t, !c.restarts, broken.Digest == u.Digest(), c.name)
		assert.True(t, r.apply(t, u), c.name)
		after := r.status(t, u)
		assert.Empty(t, after.Drift, c.name)
		assert.True(t, after.Running, c.name)
		assert.Equal(t, u.Digest(), after.Digest, c.name)
		assert.Equal(t, c.restarts, before.PID != after.PID, c.name)
		assert.False(t, r.apply(t, u), c.name)
	}
	_, err := units.Mask(t.Context(), "jomctl-"+u.Name)
	require.ErrorContains(t, err, "not the name of a service of others")
}

func (r *rig) masks(t *testing.T, units *host.Systemd) {
	name := "contract-foreign-" + r.id
	unmask := func() { _, _ = r.machine.Run(t.Context(), "systemctl", "unmask", name) }
	defer unmask()
	for i, want := range []bool{true, false} {
		changed, err := units.Mask(t.Context(), name)
		require.NoError(t, err)
		assert.Equal(t, want, changed, "time %d", i)
	}
	out, _ := r.machine.Run(t.Context(), "systemctl", "is-enabled", name)
	assert.Equal(t, "masked\n", out.Stdout, "also a service that is not installed yet")
	for i, want := range []bool{true, false} {
		changed, err := units.Unmask(t.Context(), name)
		require.NoError(t, err)
		assert.Equal(t, want, changed, "time %d", i)
	}
	unitFile := "/etc/systemd/system/" + name + ".service"
	_, err := r.machine.WriteFile(t.Context(), unitFile, []byte("[Service]\nExecStart=/bin/true\n"), 0o644)
	require.NoError(t, err)
	defer func() { assert.NoError(t, r.machine.Remove(t.Context(), unitFile)) }()
	_, err = units.Mask(t.Context(), name)
	require.ErrorContains(t, err, "move it away")
}

func (r *rig) journal(t *testing.T, units *host.Systemd) {
	u := r.unit(t, "journal", "echo first; echo second >&2; exec sleep 1000")
	none, err := units.Journal(t.Context(), u.Name, 10)
	require.NoError(t, err)
	assert.Empty(t, none)
	r.apply(t, u)
	await(t, "the journal has both lines", func() bool {
		text, err := units.Journal(t.Context(), u.Name, 50)
		require.NoError(t, err)
		return strings.Contains(text, "first\n") && strings.Contains(text, "second\n")
	})
	assert.Equal(t, host.JournalOf(u.Name), r.status(t, u).LogFile)
	assert.WithinDuration(t, time.Now(), r.status(t, u).Since, 10*time.Minute)
}
