package frontend

import (
	"errors"
	"fmt"

	"clipd/flows"
	"clipd/frontend/auth"
	"clipd/frontend/certs"
)

// CheckKeys warns of keys that may use none of the models that the gateway has. It is called once these are loaded, and by
// itself whenever the keys change. Such a line is no mistake in any case: servers with different models may share a file.
func (s *Server) CheckKeys() {
	names := s.gateway.Models()
	if len(names) == 0 {
		return // still loading
	}
	for _, u := range s.keys.Unmatched(names) {
		s.options.Log.Warn().Str("key", u.Key).Str("line", u.At).Strs("models", u.Models).Strs("served", names).
			Msg("this key can be used for nothing here: its models= names no model of the flow")
	}
}

// secure reads the certificate and the keys that the settings name.
func (s *Server) secure() (err error) {
	settings, log := s.options.Settings, s.options.Log
	if settings.SSLCertFile != "" {
		s.tls, err = certs.Open(certs.Options{
			CertFile: settings.SSLCertFile, KeyFile: settings.SSLKeyFile, Password: settings.SSLKeyPassword,
			ClientCAFile: settings.SSLCACerts, RequireClient: settings.SSLClientAuth == flows.ClientAuthRequired,
			OnReload: func(err error) {
				var validity *certs.ValidityError
				switch {
				case err == nil:
					log.Info().Str("certificate", settings.SSLCertFile).Msg("a new certificate is in use")
				case errors.As(err, &validity):
					log.Warn().Err(err).Msg("the certificate is in use all the same")
				default:
					log.Error().Err(err).Msg("the new certificate cannot be used; the one before it stays")
				}
			},
		})
		if err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
	}
	if a := settings.Auth; a != nil {
		s.keys, err = auth.Open(auth.Options{File: a.KeysFile, Env: a.KeysEnv, OnReload: func(keys int, err error) {
			if err != nil {
				log.Error().Err(err).Int("keys", keys).Msg("the new keys cannot be used; those before them stay")
				return
			}
			log.Info().Int("keys", keys).Msg("new keys are in use")
			s.CheckKeys()
		}})
		if err != nil {
			return fmt.Errorf("auth: %w", err)
		}
		if s.tls == nil {
			log.Warn().Msg("keys come in plain text: give the flow ssl_certfile and ssl_keyfile, unless a proxy in front of this server ends TLS")
		}
	}
	return nil
}
