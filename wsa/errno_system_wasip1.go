package wsa

import "syscall"

var moreSystemErrnos map[syscall.Errno]Errno
