package hosts

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

func TestPortsThatThisMachineCannotReachAreFound(t *testing.T) {
	c := cluster(t, 3, 1, func(*config.Cluster) {})
	c1, _ := c.Host("c1")
	c2, _ := c.Host("c2")
	c3, _ := c.Host("c3")
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	results := map[string]error{c1.Address + ":2181": context.DeadlineExceeded, c1.Address + ":5050": &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded},
		c2.Address + ":8090": &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)},
		c3.Address + ":8080": &net.DNSError{Err: "no such host", Name: "c3", IsNotFound: true}}
	var closed int
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		assert.Equal(t, "tcp", network)
		if err := results[address]; err != nil {
			return nil, err
		}
		if address == c1.Address+":8090" {
			here, there := net.Pipe()
			closed++
			return here, there.Close()
		}
		return nil, refused // nobody listens there yet
	}
	var found []string
	for _, one := range FromHere(t.Context(), c, dial) {
		found = append(found, one.String())
	}
	const asks = ", where jomctl asks ZooKeeper, Mesos and Marathon itself: "
	const or = " in its firewall, or in the network's (security group) for this machine, or run jomctl on a machine of the hosts' network"
	require.Equal(t, []string{
		"c1: network: this machine cannot reach TCP 2181, 5050 (no answer)" + asks + "on c1: open TCP 2181, 5050" + or,
		"c2: network: this machine cannot reach TCP 8090 (no route to host)" + asks + "on c2: open TCP 8090" + or,
		"c3: network: this machine cannot reach TCP 8080 (its name cannot be resolved here)" + asks + "on c3: open TCP 8080" + or,
	}, found)
	require.Equal(t, 1, closed)

	results = map[string]error{c1.Address + ":2181": &host.ForwardingError{Host: "c1", Cause: errors.New("administratively prohibited")}}
	require.Equal(t, "c1: network: this machine cannot reach TCP 2181 (its sshd opens no connections to other ports)"+asks+
		"allow it in /etc/ssh/sshd_config of c1 (AllowTcpForwarding local, and no PermitOpen or DisableForwarding against it) and reload sshd", FromHere(t.Context(), c, dial)[0].String())
	results = nil
	require.Empty(t, FromHere(t.Context(), c, dial))
}
