package dashboard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options are where and to whom the page is served.
type Options struct {
	// Listen is HOST:PORT.
	Listen string
	// User and Password are asked for where User is set.
	User, Password string
	// TLSCert and TLSKey are files in PEM; both or none.
	TLSCert, TLSKey string
	// Insecure serves an address that others reach without a password or without TLS.
	Insecure bool
}

// Check says what is wrong with the options, with the flag that repairs it.
func (o Options) Check() error {
	host, _, err := net.SplitHostPort(o.Listen)
	switch {
	case err != nil:
		return fmt.Errorf("--listen %q is not HOST:PORT, for example 127.0.0.1:7080: %w", o.Listen, err)
	case (o.TLSCert == "") != (o.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key belong together: name both, or none")
	case (o.User == "") != (o.Password == ""):
		return errors.New("--user and --password-file belong together: name both, or none")
	case ofThisMachine(host) || o.Insecure || o.User != "" && o.TLSCert != "":
		return nil
	}
	return fmt.Errorf("--listen %s can be reached by others: name --user, --password-file, --tls-cert and --tls-key, "+
		"or listen on 127.0.0.1 behind a proxy or an SSH tunnel, or say --insecure-listen to show the cluster to everybody there", o.Listen)
}

// URL is where the page is, once the program listens at the address.
func (o Options) URL(addr net.Addr) string {
	scheme := "http"
	if o.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + addr.String() + "/"
}

// Server is a page that is being served.
type Server struct {
	listener net.Listener
	server   *http.Server
	tls      bool
}

// Listen binds the address, so that what is wrong with it is known before anything else begins.
func Listen(h *Hub, o Options) (*Server, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(o.Listen)
	handler, err := h.Handler(Access{User: o.User, Password: o.Password, AnyName: !ofThisMachine(host)})
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if o.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		server.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for browsers: %w (another port: --listen 127.0.0.1:PORT)", err)
	}
	return &Server{listener, server, o.TLSCert != ""}, nil
}

// Addr is the address that is listened at.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends. Browsers are told at once, and have a second to hear it.
func (s *Server) Run(ctx context.Context) error {
	s.server.BaseContext = func(net.Listener) context.Context { return ctx }
	ended := make(chan error, 1)
	go func() {
		if s.tls {
			ended <- s.server.ServeTLS(s.listener, "", "")
			return
		}
		ended <- s.server.Serve(s.listener)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serving the page: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.server.Shutdown(last); err != nil {
		_ = s.server.Close()
	}
	return nil
}
