package casc

import (
	"github.com/jomctl/jomctl/internal/standin/jenkins/cloud"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
)

// Apply changes a configuration and the accounts by what the document mentions. It writes accounts, but not config.xml.
func (d *Document) Apply(cfg *home.Config, users *home.Users) error {
	set := func(target *int, v *int) {
		if v != nil {
			*target = *v
		}
	}
	set(&cfg.NumExecutors, d.NumExecutors)
	set(&cfg.QuietPeriod, d.QuietPeriod)
	if d.AgentPort != nil {
		cfg.AgentPort, cfg.HasAgentPort = *d.AgentPort, true
	}
	if d.Mode != nil {
		cfg.Mode = *d.Mode
	}
	if d.LabelString != nil {
		cfg.Label = *d.LabelString
	}
	if d.SystemMessage != nil {
		cfg.SystemMessage = *d.SystemMessage
	}
	switch d.Strategy {
	case "loggedIn":
		cfg.UseSecurity, cfg.AnonymousRead = true, d.AnonymousRead
	case "unsecured":
		cfg.UseSecurity = false
	}
	if err := d.applyRealm(cfg, users); err != nil {
		return err
	}
	if d.HasClouds {
		cfg.SetMesosCloud(nil)
		if len(d.Clouds) > 0 {
			// The name is fixed, so of several clouds only one can be.
			cfg.SetMesosCloud(d.Clouds[len(d.Clouds)-1].XML())
		}
	}
	return nil
}

func (d *Document) applyRealm(cfg *home.Config, users *home.Users) error {
	if d.LocalRealm == nil {
		return nil
	}
	cfg.AllowSignup = d.LocalRealm.AllowsSignup
	if d.Strategy == "" {
		cfg.UseSecurity = true
	}
	for _, u := range d.LocalRealm.Users {
		if u.Password == "" {
			continue
		}
		// bcrypt is slow: an unchanged password is not hashed again.
		if _, _, ok := users.Login(u.ID, u.Password); ok {
			continue
		}
		if err := users.Put(u.ID, u.Name, u.Password); err != nil {
			return err
		}
	}
	return nil
}

// CloudOf reads the cloud of a configuration; false = none.
func CloudOf(cfg *home.Config) (cloud.Config, bool) {
	n := cfg.MesosCloud()
	if n == nil {
		return cloud.Config{}, false
	}
	return *cloud.FromXML(n), true
}
