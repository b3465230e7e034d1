"""微信客服: accounts, sessions and the rules of who answers when."""
