//go:build !linux

package lifeline

import "os/exec"

// killWithParent does nothing: only Linux kills a command with its parent.
func killWithParent(*exec.Cmd) {}
