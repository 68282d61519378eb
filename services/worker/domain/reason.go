package domain

import "errors"

// A Reason is why a config is rejected: a code for programs, a text for people.
// What a verdict says of a config that was rejected is this code.
type Reason struct{ code, text string }

func (r *Reason) Error() string { return r.text }

// Code is what the verdict carries.
func (r *Reason) Code() string { return r.code }

// The reasons for which a target is rejected.
var (
	// ErrDecode means that the document is not an object with such members.
	ErrDecode = &Reason{"decode", "not a target"}
	// ErrMissingURL means that it has no url, or an empty one.
	ErrMissingURL = &Reason{"missing_url", "a target needs a url"}
	// ErrInvalid means that a member has a value that it cannot have.
	ErrInvalid = &Reason{"invalid", "invalid target"}
	// ErrHostNotAllowed means that its host, or an address that the host stands
	// for, is none of those that are allowed.
	ErrHostNotAllowed = &Reason{"host_not_allowed", "host not allowed"}
)

// Why there is no answer of a target.
var (
	// ErrNoTarget means that the worker has no config to run on yet.
	ErrNoTarget = errors.New("the worker runs on no config yet")
	// ErrTargetFailed means that the target could not be asked, or answered what
	// cannot be passed on.
	ErrTargetFailed = errors.New("the target failed")
	// ErrTargetTimeout means that the target did not answer in time.
	ErrTargetTimeout = errors.New("the target did not answer in time")
)

// An Answer is what a target said. Its body is whole, and bounded.
type Answer struct {
	Status          int
	ContentType     string // "" for none
	ContentEncoding string // "" for none
	Body            []byte
}
