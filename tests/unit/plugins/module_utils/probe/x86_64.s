# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The executor of plugins/module_utils/probe/executor.py, which has these bytes and describes the records.

        .globl  _start
_start: mov     $0x501000, %ebx
record: lea     16(%rbx), %rsi          # the first argument
        mov     8(%rbx), %rcx           # which arguments are addresses of the value
        lea     64(%rbx), %rdx
load:   lodsq
        shr     $1, %rcx
        jnc     push
        mov     (%rax), %rax
push:   push    %rax
        cmp     %rdx, %rsi
        jne     load
        pop     %r9
        pop     %r8
        pop     %r10
        pop     %rdx
        pop     %rsi
        pop     %rdi
        mov     (%rbx), %rax
        test    %rax, %rax
        js      value
        syscall
        jmp     done
value:  mov     %rdi, %rax
done:   mov     %rax, 64(%rbx)
        mov     72(%rbx), %rdi          # where the result is written as 16 letters
        test    %rdi, %rdi
        jz      follow
        mov     $16, %ecx
letter: rol     $4, %rax
        mov     %eax, %edx
        and     $15, %edx
        add     $97, %edx
        mov     %dl, (%rdi)
        inc     %rdi
        dec     %ecx
        jnz     letter
follow: mov     80(%rbx), %rsi          # the next record after a result of zero
        add     $88, %rbx
        test    %rax, %rax
        jnz     record
        test    %rsi, %rsi
        cmovnz  %rsi, %rbx
        jmp     record
