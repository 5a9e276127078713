//lint:file-ignore SA1019 keys in the old PEM encryption are still around, and the server only reads its own

package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

// privateKey finds and decrypts the private key of a PEM file.
func privateKey(file string, b []byte, password string) (crypto.Signer, error) {
	found, err := blocks(file, b)
	if err != nil {
		return nil, err
	}
	var types []string
	for _, block := range found {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") { // also certificates and EC PARAMETERS
			types = append(types, block.Type)
			continue
		}
		key, err := parseKey(block, password)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return key, nil
	}
	return nil, fmt.Errorf("%s holds no PRIVATE KEY, only %s", file, strings.Join(types, ", "))
}

var (
	errNoPassword    = errors.New("the private key is encrypted, and no password is given")
	errWrongPassword = errors.New("the private key cannot be decrypted: wrong password")
)

func parseKey(block *pem.Block, password string) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		if password == "" {
			return nil, errNoPassword
		}
		return decryptPKCS8(block.Bytes, password)
	}
	der, encrypted := block.Bytes, x509.IsEncryptedPEMBlock(block)
	if encrypted {
		if password == "" {
			return nil, errNoPassword
		}
		var err error
		if der, err = x509.DecryptPEMBlock(block, []byte(password)); errors.Is(err, x509.IncorrectPasswordError) {
			return nil, errWrongPassword
		} else if err != nil {
			return nil, fmt.Errorf("the private key cannot be decrypted: %w", err)
		}
	}
	key, err := parseDER(block.Type, der)
	if err != nil && encrypted {
		// The old encryption tells a wrong password by its padding only, which fits by chance once in 256 times.
		return nil, errWrongPassword
	}
	return key, err
}

func parseDER(kind string, der []byte) (crypto.Signer, error) {
	var key any
	var err error
	switch kind {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(der)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(der)
	default:
		return nil, fmt.Errorf("a key of the form %q is not known; convert it with openssl pkcs8 -topk8", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be read: %w", err)
	}
	return signer(key)
}

func decryptPKCS8(der []byte, password string) (key crypto.Signer, err error) {
	defer func() {
		// Ciphers panic on a text that is no whole number of blocks.
		if r := recover(); r != nil {
			key, err = nil, fmt.Errorf("the encrypted private key is broken: %v", r)
		}
	}()
	k, err := pkcs8.ParsePKCS8PrivateKey(der, []byte(password))
	if err != nil {
		if strings.Contains(err.Error(), "incorrect password") || strings.Contains(err.Error(), "padding") {
			return nil, errWrongPassword
		}
		return nil, fmt.Errorf("the encrypted private key cannot be read: %w", err)
	}
	return signer(k)
}

func signer(key any) (crypto.Signer, error) {
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign, so it cannot be a server's key; use RSA, ECDSA or Ed25519", key)
	}
	return s, nil
}
